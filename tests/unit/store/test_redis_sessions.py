"""The resumable sessions in a real Valkey: what the connection loses is written again, with a server's own rights."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from cluster.redisio.acl import rules
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.retrying_writer import RetryingWriter
from cluster.redisio.url import RedisUrl
from cluster.store.redis_sessions import RedisSessions
from cluster.store.session import KeptSession, SessionChange
from tests.harness import ReactorThread, Valkey, until
from tests.ports.test_sessions import record, sent

DOMAIN = "montague.lit"
KEYS = Keys.of_lab("test")
Scenario = Callable[[RedisClient, RedisSessions], Coroutine[Deferred[Any], Any, None]]


def run(thread: ReactorThread, valkey: Valkey, scenario: Scenario) -> None:
    valkey.admin.execute_command("ACL", "SETUSER", "s1", *rules(KEYS, DOMAIN, "pw"))

    async def with_store() -> None:
        client = RedisClient(thread.reactor, RedisUrl.parse(valkey.url_of("s1", "pw")), lambda: 0.0)
        sessions = RedisSessions(client, RetryingWriter(client), KEYS, DOMAIN)
        await client.connect()
        try:
            await scenario(client, sessions)
        finally:
            await client.close()

    thread.run(with_store)


def change(number: int, **fields: Any) -> SessionChange:
    return SessionChange("one", "romeo", number, 0, sent=sent(number), **fields)


def test_what_redis_did_not_answer_it_gets_again_in_order(reactor_thread: ReactorThread, own_valkey: Valkey) -> None:
    async def scenario(client: RedisClient, sessions: RedisSessions) -> None:
        order: list[int] = []

        def note(number: int) -> Deferred[None]:
            return sessions.note([change(number)]).addCallback(lambda _: order.append(number))

        await sessions.note([change(1, record=record())])
        before = note(2)
        own_valkey.kill()
        await until(reactor_thread.reactor, lambda: not client.connected)
        while_away = [note(3), note(4)]
        gone = sessions.delete("romeo", "two")
        own_valkey.start()
        await gatherResults([before, *while_away, gone])
        assert order == [2, 3, 4]
        assert await sessions.load("romeo") == [KeptSession(record(), 4, 0, sent(1, 2, 3, 4))]

    run(reactor_thread, own_valkey, scenario)


def test_it_is_written_before_what_others_write_over_the_new_connection(
    reactor_thread: ReactorThread, own_valkey: Valkey
) -> None:
    """As a link, which acknowledges there what the session must have by then."""

    async def scenario(client: RedisClient, sessions: RedisSessions) -> None:
        lengths: list[Deferred[Any]] = []
        key = KEYS.session(DOMAIN, "one")
        client.when_connected(lambda: lengths.append(client.execute("HLEN", key)))
        await lengths[0]
        own_valkey.kill()
        await until(reactor_thread.reactor, lambda: not client.connected)
        noted = sessions.note([change(1, record=record())])
        own_valkey.start()
        await noted
        assert await lengths[1] == 1

    run(reactor_thread, own_valkey, scenario)
