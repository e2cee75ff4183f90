"""The journal in a real Valkey: written by the servers, read by the commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice

import pytest
import redis
from twisted.internet.task import deferLater

from cluster.redisio import client as client_module
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.trace import reader as reader_module
from cluster.trace.hop import Event, Hop
from cluster.trace.reader import JournalReader
from cluster.trace.redis import MAX_ENTRIES, MAX_HOPS, RedisJournal
from tests.harness import ReactorThread, Valkey
from tests.unit.trace.hops import ROUTE, hop

Write = Callable[[list[list[Hop]]], None]


@pytest.fixture
def write(reactor_thread: ReactorThread, valkey: Valkey, keys: Keys) -> Write:
    """Appends hops, those of each list in one reactor turn."""

    async def append(turns: list[list[Hop]]) -> None:
        client = RedisClient(reactor_thread.reactor, RedisUrl.parse(valkey.url), lambda: 0.0)
        await client.connect()
        journal = RedisJournal(client, keys, reactor_thread.reactor)
        for hops in turns:
            for one in hops:
                journal.append(one)
            await deferLater(reactor_thread.reactor, 0)
        await client.execute("PING")
        await client.close()

    return lambda turns: reactor_thread.run(lambda: append(turns))


@pytest.fixture(params=[2, 3])
def reader(request: pytest.FixtureRequest, valkey: Valkey, keys: Keys) -> Iterator[JournalReader]:
    """With both protocols of Redis, whose replies differ in form."""
    client = redis.Redis.from_url(valkey.url, protocol=request.param)
    yield JournalReader(client, keys)
    client.close()


def test_reads_the_hops_of_one_stanza_in_the_order_of_time(write: Write, reader: JournalReader) -> None:
    write([ROUTE[4:], [hop("s1", Event.RECEIVED, 0, trace_id="other")], ROUTE[:4]])
    assert reader.read({"t1"}) == ROUTE
    assert reader.read({"nobody's"}) == []


def test_the_hops_of_one_turn_are_one_entry(write: Write, valkey: Valkey, keys: Keys) -> None:
    write([ROUTE, ROUTE[:1], ROUTE[:2]])
    assert valkey.admin.xlen(keys.journal) == 3


def test_a_server_that_stops_writes_what_waits(reactor_thread: ReactorThread, valkey: Valkey, keys: Keys) -> None:
    async def append_and_close() -> None:
        client = RedisClient(reactor_thread.reactor, RedisUrl.parse(valkey.url), lambda: 0.0)
        await client.connect()
        journal = RedisJournal(client, keys, reactor_thread.reactor)
        journal.append(ROUTE[0])
        journal.flush()
        await client.close()

    reactor_thread.run(append_and_close)
    assert valkey.admin.xlen(keys.journal) == 1


def test_reads_through_many_pages(write: Write, reader: JournalReader) -> None:
    for number in range(1_100):
        reader.append(hop("s1", Event.RECEIVED, number, trace_id=f"t{number % 2}"))
    assert [found.at_utc_ns for found in reader.read({"t1"})] == [
        hop("s1", Event.RECEIVED, number).at_utc_ns for number in range(1, 1_100, 2)
    ]


def test_the_journal_is_capped(reader: JournalReader, valkey: Valkey, keys: Keys) -> None:
    with valkey.admin.pipeline() as pipeline:
        for _ in range(MAX_ENTRIES + 500):
            pipeline.xadd(keys.journal, {"h": b"\x90"})
        pipeline.execute()
    reader.append(ROUTE[0])
    assert MAX_ENTRIES <= valkey.admin.xlen(keys.journal) < MAX_ENTRIES + 200
    assert reader.read({"t1"}) == ROUTE[:1]


@pytest.mark.parametrize("nodes", [1, 2])
def test_the_journal_is_capped_in_bytes(
    reactor_thread: ReactorThread, valkey: Valkey, keys: Keys, reader: JournalReader, nodes: int
) -> None:
    """Small hops, and then as long ones as anybody can make: an address may have 3,071 bytes, an id any number."""
    long = "x" * 3_000
    large = Hop(long, "s1", Event.LOST, 0, "message", long, long, 1, "y" * 100_000)

    async def write() -> None:
        client = RedisClient(reactor_thread.reactor, RedisUrl.parse(valkey.url), lambda: 0.0)
        await client.connect()
        journals = [RedisJournal(client, keys, reactor_thread.reactor, 1_000_000) for _ in range(nodes)]
        for made in (ROUTE[0], large):
            for _ in range(100):
                for journal in journals:
                    for _ in range(2 * MAX_HOPS):
                        journal.append(made)
                    journal.flush()
            await client.execute("PING")
        await client.close()

    reactor_thread.run(write)
    # Redis trims by whole nodes of its tree, of up to 4 KiB or one larger entry
    assert valkey.admin.memory_usage(keys.journal, samples=0) < 1_500_000
    [*_, (_, newest)] = reader.after(b"0")
    assert len(newest) == MAX_HOPS
    assert newest[0] == large.cut() != large


def test_follow_begins_with_its_call_and_sees_what_comes(write: Write, reader: JournalReader) -> None:
    write([[hop("s1", Event.RECEIVED, 0, trace_id="before")]])
    following = reader.follow()
    write([ROUTE[:3], ROUTE[3:]])
    assert [*chain(*islice(following, 2))] == ROUTE


def test_follow_begins_before_the_first_entry_of_all(write: Write, reader: JournalReader) -> None:
    following = reader.follow()
    write([ROUTE])
    assert next(following) == ROUTE


def test_follow_says_when_nothing_comes(write: Write, reader: JournalReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "_WAIT_MS", 1)
    following = reader.follow()
    assert next(following) == []
    write([ROUTE])
    assert next(hops for hops in following if hops) == ROUTE


def test_while_redis_hangs_hops_are_left_out_and_not_piled_up(
    reactor_thread: ReactorThread, own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MANY_UNANSWERED", 10)

    async def scenario() -> None:
        client = RedisClient(reactor_thread.reactor, RedisUrl.parse(own_valkey.url), lambda: 0.0)
        await client.connect()
        journal = RedisJournal(client, Keys.of_lab("own"), reactor_thread.reactor)
        own_valkey.pause()
        for _ in range(50):
            journal.append(ROUTE[0])
            journal.flush()
        own_valkey.resume()
        await client.execute("PING")
        journal.append(ROUTE[0])
        journal.flush()
        await client.execute("PING")
        await client.close()

    reactor_thread.run(scenario)
    assert own_valkey.admin.xlen(Keys.of_lab("own").journal) == 12


def test_junk_in_the_journal_is_passed_over(write: Write, reader: JournalReader, valkey: Valkey, keys: Keys) -> None:
    write([ROUTE[:3]])
    for fields in ({"x": b"junk"}, {"h": b"\xc1"}, {"h": b"\x01"}, {"h": b"\x91\x80", "y": b""}):
        valkey.admin.xadd(keys.journal, fields)
    write([ROUTE[3:]])
    assert reader.read("t1") == ROUTE
