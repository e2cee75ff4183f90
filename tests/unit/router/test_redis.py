"""What only the Redis router does; what every router does is in tests/ports/test_router.py."""

from __future__ import annotations

import msgspec
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost

from cluster.redisio.keys import Keys
from cluster.router.port import Settled
from cluster.router.redis import RedisRouter
from cluster.xmpp.errors import Condition
from cluster.xmpp.stanza import Stanza
from tests.harness import ReactorThread, Valkey
from tests.ports.worlds import CAPULET, MONTAGUE, SHAKESPEARE, Node, RedisWorld, World, chat, text_of

KEYS = Keys.of_lab("own")


@pytest.fixture
def world(reactor_thread: ReactorThread, valkey: Valkey, keys: Keys) -> RedisWorld:
    return RedisWorld(reactor_thread, valkey, keys)


@pytest.fixture
def own_world(reactor_thread: ReactorThread, own_valkey: Valkey) -> RedisWorld:
    """With a Valkey that may be killed."""
    return RedisWorld(reactor_thread, own_valkey, KEYS)


def test_when_redis_is_killed_and_comes_back_nothing_is_lost_and_nothing_comes_twice(own_world: RedisWorld) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        sent: list[str] = []
        for _ in range(3):
            for turn in range(60):
                for _ in range(3):
                    sent.append(str(len(sent)))
                    s1.send(chat(sent[-1]))
                if turn == 30:
                    own_world.valkey.kill()
                if turn == 50:
                    own_world.valkey.start()
                await world.turn()
            await world.until(lambda: len(s2.delivered) >= len(sent))
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


@pytest.mark.parametrize(
    ("count", "size_bytes", "expected"),
    [(2500, 10, [1000, 1000, 500]), (7, 200_000, [5, 2])],
    ids=["1,000 stanzas", "1 MiB"],
)
def test_a_batch_has_a_bound(world: RedisWorld, count: int, size_bytes: int, expected: list[int]) -> None:
    async def scenario(_: World) -> None:
        s1 = await world.start(MONTAGUE)
        for _ in range(count - 1):
            s1.send(chat("x" * size_bytes))
        await s1.sent(chat("x" * size_bytes))

    world.run(scenario)
    entries = world.valkey.admin.xrange(world.keys.link(CAPULET, MONTAGUE))
    assert [len(msgspec.msgpack.decode(fields[b"b"], type=list[Stanza])) for _, fields in entries] == expected


def test_a_server_that_speaks_for_another_domain_is_refused_by_redis(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s3, evil = await world.start(SHAKESPEARE), Node()
        client = world.clients[evil] = await world.client(CAPULET)
        evil.router = RedisRouter(
            world.reactor, client, world.keys, domain=MONTAGUE, node="s", tracer=evil.tracer, max_backlog=10
        )
        await evil.router.start(evil.deliver, evil.bounce)
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
        for _ in range(300):
            world.valkey.admin.xadd(key, {"b": entry})
        world.valkey.admin.sadd(world.keys.peers(CAPULET), MONTAGUE)
        first = await world.start(CAPULET)
        waiting: list[Deferred[None]] = []

        def later(stanza: Stanza) -> Settled:
            waiting.append(Deferred())
            return waiting[-1]

        first.settled_by = later
        await world.until(lambda: len(first.delivered) == 256)  # no more, until some have settled
        for settled in waiting[:20]:
            settled.callback(None)
        await world.until_settled(MONTAGUE, CAPULET, left=280)
        await world.crash(first)
        again = await world.start(CAPULET)
        await world.until_empty(MONTAGUE, CAPULET)
        assert len(again.delivered) == 280
        assert len(set(again.places)) == 280
        assert not set(again.places) & set(first.places[:20])

    world.run(scenario)
