"""What only the Redis router does; what every router does is in tests/ports/test_router.py."""

from __future__ import annotations

import msgspec
import pytest
from hiredis import ReplyError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost

from cluster.base.settled import Settled
from cluster.base.turn import Turn
from cluster.router import outbound_link
from cluster.router.redis import RedisRouter
from cluster.xmpp.errors import Condition, ErrorType
from cluster.xmpp.stanza import Stanza
from tests.ports.worlds import (
    CAPULET,
    MAX_BACKLOG,
    MONTAGUE,
    SHAKESPEARE,
    Node,
    RedisWorld,
    World,
    chat,
    text_of,
)


def test_when_redis_is_killed_and_comes_back_nothing_is_lost_and_nothing_comes_twice(own_world: RedisWorld) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        sent: list[str] = []
        for _ in range(3):
            for turn in range(MAX_BACKLOG - 5):
                for _ in range(3):
                    sent.append(str(len(sent)))
                    s1.send(chat(sent[-1]))
                if turn == 15:
                    own_world.valkey.kill()
                if turn == 35:
                    own_world.valkey.start()
                await world.turn()
            await world.until(lambda: len(s2.delivered) >= len(sent))
            await world.until_empty(MONTAGUE, CAPULET)  # so that there is room for the next round
        await s1.sent(chat("last"))
        await world.until(lambda: text_of(s2.delivered[-1]) == "last")
        assert [text_of(stanza) for stanza in s2.delivered] == [*sent, "last"]
        await world.until_empty(MONTAGUE, CAPULET)
        assert s1.bounced == []

    own_world.run(scenario)


def test_an_entry_whose_reply_was_lost_is_not_written_twice(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1 = await world.start(MONTAGUE)
        await s1.sent(chat("opens the link"))
        world.clients[s1].post("CLIENT", "REPLY", "OFF")  # Redis does what it is told, and we do not hear of it
        settled = s1.send(chat("once"))
        key = world.keys.link(CAPULET, MONTAGUE)
        await world.until(lambda: world.valkey.admin.xlen(key) == 2)
        assert settled is not None
        assert not settled.called
        world.valkey.admin.execute_command("CLIENT", "KILL", "USER", world.user(MONTAGUE))
        await settled
        assert world.valkey.admin.xlen(key) == 2
        assert s1.bounced == []

    world.valkey.admin.execute_command("ACL", "SETUSER", world.user(MONTAGUE), "+client|reply")
    world.run(scenario)


def test_what_has_not_settled_when_the_connection_is_lost_is_not_delivered_again(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        later: Settled = Deferred()
        s2.settled_by = lambda stanza: later
        await s1.sent(chat("slow"))
        await world.until(lambda: s2.delivered)
        world.valkey.admin.execute_command("CLIENT", "KILL", "USER", world.user(CAPULET))
        await world.until(lambda: not world.clients[s2].connected)
        await s1.sent(chat("next"))
        await world.until(lambda: len(s2.delivered) == 2)
        assert [text_of(stanza) for stanza in s2.delivered] == ["slow", "next"]
        assert later is not None
        later.callback(None)
        await world.until_empty(MONTAGUE, CAPULET)

    world.run(scenario)


def test_what_the_storage_could_not_take_comes_again_with_the_next_connection(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)

        def settled_by(stanza: Stanza) -> Settled:
            settled: Deferred[None] = Deferred()
            if len(s2.delivered) == 1:
                settled.errback(ConnectionLost())
            else:
                settled.callback(None)
            return settled

        s2.settled_by = settled_by
        await s1.sent(chat("for the storage"))
        await world.until(lambda: s2.delivered)
        world.valkey.admin.execute_command("CLIENT", "KILL", "USER", world.user(CAPULET))
        await world.until(lambda: len(s2.delivered) == 2)
        assert s2.delivered[0] == s2.delivered[1]
        await world.until_empty(MONTAGUE, CAPULET)

    world.run(scenario)


@pytest.mark.parametrize(("count", "size_bytes"), [(2500, 10), (7, 200_000)], ids=["small", "big"])
def test_a_batch_has_a_bound(world: RedisWorld, count: int, size_bytes: int) -> None:
    async def scenario(_: World) -> None:
        s1 = await world.start(MONTAGUE)
        for _ in range(count - 1):
            s1.send(chat("x" * size_bytes))
        await s1.sent(chat("x" * size_bytes))

    world.run(scenario)
    entries = world.valkey.admin.xrange(world.keys.link(CAPULET, MONTAGUE))
    batches = [fields[b"b"] for _, fields in entries]
    assert sum(len(msgspec.msgpack.decode(batch, type=list[Stanza])) for batch in batches) == count
    assert max(map(len, batches)) <= 1 << 19
    assert len(batches) == (3 if size_bytes == 10 else 4)


def test_a_server_that_speaks_for_another_domain_is_refused_by_redis(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s3, evil = await world.start(SHAKESPEARE), Node(world.reactor)
        client = world.clients[evil] = await world.client(CAPULET)
        evil.router = RedisRouter(
            world.reactor,
            client,
            world.keys,
            turn=Turn(world.reactor),
            domain=MONTAGUE,
            tracer=evil.tracer,
            max_backlog=10,
            now_utc_s=world.reactor.seconds,
        )
        with pytest.raises(ReplyError):  # it may not even listen
            await evil.router.start(evil)
        await evil.sent(chat("forged", to="falstaff@shakespeare.lit"))
        assert [error.condition for _, error in evil.bounced] == [Condition.REMOTE_SERVER_TIMEOUT]
        assert s3.delivered == []

    world.run(scenario)
    assert world.valkey.admin.xlen(world.keys.link(SHAKESPEARE, MONTAGUE)) == 0


def test_an_entry_that_nobody_can_read_does_not_hold_up_the_link(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        key = world.keys.link(CAPULET, MONTAGUE)
        for fields in ({"b": b"\xc1"}, {"b": msgspec.msgpack.encode([["message", 1]])}, {"x": b""}):
            world.valkey.admin.xadd(key, fields)
        await s1.sent(chat("good"))
        await world.until(lambda: s2.delivered)
        await world.until_empty(MONTAGUE, CAPULET)

    world.run(scenario)


def test_many_entries_are_read_in_many_reads(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        entry = msgspec.msgpack.encode([chat("old")])
        key = world.keys.link(CAPULET, MONTAGUE)
        for _ in range(600):
            world.valkey.admin.xadd(key, {"b": entry})
        world.valkey.admin.sadd(world.keys.peers(CAPULET), MONTAGUE)
        first = await world.start(CAPULET)
        waiting: list[Deferred[None]] = []

        def later(stanza: Stanza) -> Settled:
            waiting.append(Deferred())
            return waiting[-1]

        first.settled_by = later
        await world.until(lambda: len(first.delivered) >= 256)
        await world.clients[first].flush()
        assert len(first.delivered) < 256 + 64  # no more, until some have settled
        for settled in waiting[:20]:
            settled.callback(None)
        await world.until(lambda: world.valkey.admin.xlen(key) == 580)
        await world.crash(first)
        again = await world.start(CAPULET)
        await world.until_empty(MONTAGUE, CAPULET)
        assert len(again.delivered) == 580
        assert len(set(again.places)) == 580
        assert not set(again.places) & set(first.places[:20])

    world.run(scenario)


def test_while_redis_hangs_senders_wait_and_at_last_are_told_so(
    own_world: RedisWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound_link, "MAX_WAITING_BYTES", 100_000)

    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("opens the link"))
        own_world.valkey.pause()
        settled = [s1.send(chat("x" * 1_000)) for _ in range(100)]
        refused = len(s1.bounced)
        assert 20 < refused < 50
        assert {error.condition for _, error in s1.bounced} == {Condition.REMOTE_SERVER_TIMEOUT}
        assert {error.type for _, error in s1.bounced} == {ErrorType.WAIT}
        assert not any(each.called for each in settled if each is not None)  # so the client is not read on
        own_world.valkey.resume()
        await world.until(lambda: len(s2.delivered) == 101 - refused)
        await s1.sent(chat("there is room again"))
        assert len(s1.bounced) == refused

    own_world.run(scenario)


def test_while_redis_is_away_what_waits_is_bounded(own_world: RedisWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound_link, "MAX_WAITING_BYTES", 100_000)

    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        own_world.valkey.kill()
        await world.until(lambda: not own_world.clients[s1].connected)
        for number in range(100):
            s1.send(chat("x" * 1_000, to="juliet@capulet.lit" if number % 2 else "falstaff@shakespeare.lit"))
            await world.turn()
        refused = len(s1.bounced)
        assert 20 < refused < 50
        own_world.valkey.start()
        await s1.sent(chat("last"))
        await world.until(lambda: s2.delivered and text_of(s2.delivered[-1]) == "last")
        assert len(s1.bounced) == refused

    own_world.run(scenario)


def test_the_backlog_of_a_link_is_bounded_in_bytes_too(world: RedisWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound_link, "MAX_BACKLOG_BYTES", 1_000_000)
    monkeypatch.setattr(outbound_link, "MAX_BATCH_BYTES", 60_000)

    async def scenario(_: World) -> None:
        s1 = await world.start(MONTAGUE)
        for _ in range(40):
            await s1.sent(chat("x" * 50_000))
        assert {error.condition for _, error in s1.bounced} == {Condition.REMOTE_SERVER_TIMEOUT}
        assert {error.type for _, error in s1.bounced} == {ErrorType.WAIT}
        written = 40 - len(s1.bounced)
        used = world.valkey.admin.memory_usage(world.keys.link(CAPULET, MONTAGUE), samples=0)
        assert 900_000 < used < 1_100_000
        s2 = await world.start(CAPULET)
        await world.until_empty(MONTAGUE, CAPULET)
        assert len(s2.delivered) == written
        await s1.sent(chat("below again"))
        await world.until(lambda: len(s2.delivered) == written + 1)

    world.run(scenario)


@pytest.mark.parametrize(
    "name",
    ["shakespeare.lit/x}:montague.lit", "shakespeare.lit/x}:montague.lit/s1-2", "capulet.lit}:shakespeare.lit/"],
)
def test_a_link_whose_name_only_ends_as_the_writers_own_is_not_read(world: RedisWorld, name: str) -> None:
    """Redis lets montague.lit write to whatever ends with its name; the reader must not take the rest for another."""
    forged = chat("forged", from_="hamlet@shakespeare.lit/castle")

    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        thief = world.clients[s1]
        if name.endswith(("montague.lit", "montague.lit/s1-2")):
            await thief.execute("XADD", world.keys.link(CAPULET, name), "*", "b", msgspec.msgpack.encode([forged]))
        await thief.execute("SADD", world.keys.peers(CAPULET), name)
        await thief.execute("PUBLISH", world.keys.doorbell(CAPULET), name)
        await s1.sent(chat("honest"))
        await world.until(lambda: s2.delivered)
        world.valkey.admin.execute_command("CLIENT", "KILL", "USER", world.user(CAPULET))  # it looks at its peers again
        await s1.sent(chat("honest again"))
        await world.until(lambda: len(s2.delivered) == 2)
        assert [text_of(stanza) for stanza in s2.delivered] == ["honest", "honest again"]
        assert [*s2.router._inbound._links] == [MONTAGUE]

    world.run(scenario)
