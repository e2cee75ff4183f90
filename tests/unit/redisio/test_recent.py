"""What is remembered for a while has a bound, and outlives a clock that is set."""

from __future__ import annotations

import gc

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from cluster.redisio.acl import part_rules
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.recent import RecentValues
from cluster.redisio.url import RedisUrl
from cluster.simulation.errors import logged_errors
from tests.harness import ReactorThread, Valkey

DOMAIN = "mail.montague.lit"
BOUND = 10


def test_the_oldest_are_forgotten_early_where_more_come_than_there_is_room_for(
    keys: Keys, valkey: Valkey, reactor_thread: ReactorThread
) -> None:
    user = f"{keys.prefix}:{DOMAIN}"
    valkey.make_user(user, part_rules(keys, DOMAIN, "pw"))

    async def scenario() -> None:
        client = RedisClient(
            reactor_thread.reactor, RedisUrl.parse(valkey.url_of(user.replace(":", "%3A"), "pw")), lambda: 0.0
        )
        await client.connect()
        values = RecentValues(client, keys.gateway(DOMAIN, "ledger"), 60, lambda: 1_700_000_000.0, max_entries=BOUND)
        for n in range(100):
            await values.put(str(n), str(n).encode())
            assert await values.get(str(n)) == str(n).encode()
            assert await values.get(str(max(0, n - BOUND + 1))) is not None
        assert await values.get("0") is None
        await client.close()

    reactor_thread.run(scenario)
    tables = valkey.admin.keys(f"{keys.gateway(DOMAIN, 'ledger')}-*")
    assert sum(valkey.admin.hlen(table) for table in tables) <= 2 * BOUND
    assert all(0 < valkey.admin.ttl(table) <= 120 for table in tables)


def test_a_connection_that_is_lost_fails_once_and_is_not_logged() -> None:
    """A run of mixed people over Redis found it: nobody waited for the second of two commands."""
    client = RedisClient(Clock(), RedisUrl.parse("redis://127.0.0.1:1"), lambda: 0.0)
    values = RecentValues(client, Keys.of_lab("lost").gateway(DOMAIN, "ledger"), 60, lambda: 0.0)
    failures: list[Failure] = []
    with logged_errors() as logged:
        Deferred.fromCoroutine(values.put("id", b"value")).addErrback(failures.append)
        assert failures.pop().type is ConnectionLost
        gc.collect()
    assert logged == []


def test_a_clock_that_is_set_back_forgets_nothing(keys: Keys, valkey: Valkey, reactor_thread: ReactorThread) -> None:
    """By a second, from one period into the one before."""
    user = f"{keys.prefix}:{DOMAIN}"
    valkey.make_user(user, part_rules(keys, DOMAIN, "pw"))
    now_utc_s = 60_000.5

    async def scenario() -> None:
        nonlocal now_utc_s
        client = RedisClient(
            reactor_thread.reactor, RedisUrl.parse(valkey.url_of(user.replace(":", "%3A"), "pw")), lambda: 0.0
        )
        await client.connect()
        values = RecentValues(client, keys.gateway(DOMAIN, "ledger"), 60, lambda: now_utc_s)
        await values.put("a", b"1")
        now_utc_s -= 1
        assert await values.get("a") == b"1"
        await client.close()

    reactor_thread.run(scenario)
