"""One contract for every store of the counts of streams between servers (XEP-0198 section 5)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.router import redis_counts
from cluster.router.redis_counts import RedisCounts
from cluster.router.s2s.ports import Counts, MemoryCounts
from cluster.xmpp.streams.servers.dialback import Pair
from tests.harness import ReactorThread, Valkey

PAIR, OTHER = Pair("montague.lit", "capulet.lit"), Pair("denmark.lit", "capulet.lit")
Check = Callable[[Callable[[Counts], Coroutine[Deferred[Any], Any, None]]], None]


@pytest.fixture(params=["memory", "redis"])
def check(request: pytest.FixtureRequest) -> Iterator[Check]:
    """Runs a scenario with the counts of capulet.lit."""
    thread: ReactorThread = request.getfixturevalue("reactor_thread")
    if request.param == "memory":
        yield lambda scenario: thread.run(lambda: scenario(MemoryCounts()))
        return
    client = connected(request)
    keys: Keys = request.getfixturevalue("keys")
    yield lambda scenario: thread.run(lambda: scenario(RedisCounts(thread.reactor, client, keys, "capulet.lit")))
    thread.run(client.close)


def connected(request: pytest.FixtureRequest) -> RedisClient:
    thread: ReactorThread = request.getfixturevalue("reactor_thread")
    valkey: Valkey = request.getfixturevalue("valkey")
    keys: Keys = request.getfixturevalue("keys")
    client = RedisClient(thread.reactor, RedisUrl.parse(valkey.url), lambda: 0.0)
    thread.run(lambda: client.connect(keys.accounts("capulet.lit")))
    return client


async def noted(counts: Counts, id: str, pair: Pair, handled: int) -> None:
    done = counts.note(id, pair, handled)
    if done is not None:
        await done


def test_the_newest_count_of_a_stream_is_found(check: Check) -> None:
    async def scenario(counts: Counts) -> None:
        for handled in (1, 5, 2**32 - 1, 0):
            await noted(counts, "one", PAIR, handled)
            assert await counts.find("one", PAIR) == handled
        await noted(counts, "two", PAIR, 7)
        assert await counts.find("one", PAIR) == 0

    check(scenario)


def test_a_stream_is_that_of_its_pair_only(check: Check) -> None:
    """Whoever learns the SM-ID of another domain's stream gets nothing by it."""

    async def scenario(counts: Counts) -> None:
        await noted(counts, "one", PAIR, 3)
        assert await counts.find("one", OTHER) is None
        assert await counts.find("one", PAIR.reverse) is None

    check(scenario)


def test_what_is_unknown_or_forgotten_is_not_found(check: Check) -> None:
    async def scenario(counts: Counts) -> None:
        assert await counts.find("one", PAIR) is None
        await noted(counts, "one", PAIR, 3)
        counts.forget("one")
        assert await counts.find("one", PAIR) is None
        counts.forget("one")
        await noted(counts, "one", PAIR, 4)
        assert await counts.find("one", PAIR) == 4

    check(scenario)


def test_in_redis_another_process_finds_it_until_it_expires(
    request: pytest.FixtureRequest, reactor_thread: ReactorThread, keys: Keys
) -> None:
    client = connected(request)

    async def scenario() -> None:
        await noted(RedisCounts(reactor_thread.reactor, client, keys, "capulet.lit"), "one", PAIR, 3)
        later = RedisCounts(reactor_thread.reactor, client, keys, "capulet.lit")
        assert await later.find("one", PAIR) == 3
        left_s = await client.execute("TTL", keys.stream("capulet.lit", "one"))
        assert 0 < left_s <= redis_counts._KEPT_S
        assert await RedisCounts(reactor_thread.reactor, client, keys, "denmark.lit").find("one", PAIR) is None

    reactor_thread.run(scenario)
    reactor_thread.run(client.close)
