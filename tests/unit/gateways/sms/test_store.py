"""One contract for every store of the SMS gateway."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from cluster.gateways.smpp.concatenation import Part
from cluster.gateways.sms.store import Awaited, Piece, SmsStore, Submission, memory_sms_store, redis_sms_store
from cluster.redisio.acl import rules
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from tests.harness import ReactorThread, Valkey

Scenario = Callable[[SmsStore], Coroutine[Deferred[Any], Any, None]]
DOMAIN = "sms.montague.lit"
ROMEO = Jid.parse("romeo@montague.lit/pda")
STANZA = Stanza("message", None, ROMEO, "m1", "chat", ("jabber:client body",), b"<message>\xc3\xa4</message>", "t1")


@pytest.fixture(params=["memory", "redis"])
def check(request: pytest.FixtureRequest) -> Iterator[Callable[[Scenario], None]]:
    """Runs a scenario on an empty store: in Redis as a user with the rights of the gateway's domain."""
    if request.param == "memory":

        def run(scenario: Scenario) -> None:
            results: list[Any] = []
            Deferred.fromCoroutine(scenario(memory_sms_store())).addBoth(results.append)
            assert results == [None]

        yield run
        return
    thread: ReactorThread = request.getfixturevalue("reactor_thread")
    valkey: Valkey = request.getfixturevalue("valkey")
    keys: Keys = request.getfixturevalue("keys")
    user = f"{keys.prefix}-g1"
    valkey.admin.execute_command("ACL", "SETUSER", user, *rules(keys, DOMAIN, "pw"))

    async def with_redis(scenario: Scenario) -> None:
        client = RedisClient(thread.reactor, RedisUrl.parse(valkey.url_of(user.replace(":", "%3A"), "pw")), lambda: 0.0)
        await client.connect()
        try:
            await scenario(redis_sms_store(client, keys, DOMAIN))
        finally:
            await client.close()

    yield lambda scenario: thread.run(lambda: with_redis(scenario))


def test_everything_comes_back_as_it_was_put(check: Callable[[Scenario], None]) -> None:
    async def scenario(store: SmsStore) -> None:
        things: list[tuple[Any, Any]] = [
            (store.numbers, "+393331234567"),
            (store.correspondents, ROMEO.bare),
            (store.submissions, Submission(STANZA, "4444", 65_535)),
            (store.awaited, Awaited(STANZA, ("a", "b"), 2, ("b",))),
            (store.pieces, Piece("+39333", "4444", 8, Part(7, 2, 1, b"\0\xff"))),
        ]
        for table, thing in things:
            assert await table.load() == {}
            await table.put("2", thing)
            await table.put("10", thing)
            await table.put("1", thing)
            await table.delete("10")
            await table.delete("never there")
        for table, thing in things:
            assert list((await table.load()).items()) == [("1", thing), ("2", thing)]

    check(scenario)
