"""One contract for every store of the SMS gateway."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from cluster.gateways.sms.store import (
    KEPT_S,
    Awaited,
    Piece,
    SmsStore,
    Submission,
    memory_sms_store,
    redis_sms_store,
)
from cluster.protocols.smpp.concatenation import Part
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
NOW_UTC_S = 1_700_000_000.0
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
            await scenario(redis_sms_store(client, keys, DOMAIN, lambda: NOW_UTC_S))
        finally:
            await client.close()

    yield lambda scenario: thread.run(lambda: with_redis(scenario))


def test_everything_comes_back_as_it_was_put(check: Callable[[Scenario], None]) -> None:
    async def scenario(store: SmsStore) -> None:
        things: list[tuple[Any, Any]] = [
            (store.numbers, "+393331234567"),
            (store.correspondents, ROMEO.bare),
            (store.submissions, Submission(STANZA, "4444", 65_535, "k")),
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


def test_what_is_done_is_known(check: Callable[[Scenario], None]) -> None:
    async def scenario(store: SmsStore) -> None:
        assert not await store.done.knows("1")
        await store.done.note("1")
        assert await store.done.knows("1")
        assert not await store.done.knows("2")

    check(scenario)


def test_redis_forgets_what_is_done(keys: Keys, valkey: Valkey, reactor_thread: ReactorThread) -> None:
    now_utc_s = NOW_UTC_S

    async def scenario() -> None:
        nonlocal now_utc_s
        client = RedisClient(reactor_thread.reactor, RedisUrl.parse(valkey.url), lambda: 0.0)
        await client.connect()
        done = redis_sms_store(client, keys, DOMAIN, lambda: now_utc_s).done
        await done.note("1")
        now_utc_s += KEPT_S
        assert await done.knows("1")
        now_utc_s += KEPT_S
        assert not await done.knows("1")
        await client.close()

    reactor_thread.run(scenario)
    [table] = valkey.admin.keys(f"{keys.gateway(DOMAIN, 'done')}-*")
    assert 0 < valkey.admin.ttl(table) <= 2 * KEPT_S
