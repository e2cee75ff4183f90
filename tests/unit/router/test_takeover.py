"""A node is gone, and others of its domain write on: what its accounts sent before arrives first."""

from __future__ import annotations

import msgspec
import pytest
from twisted.internet.defer import Deferred

from cluster.base.settled import Settled
from cluster.base.turn import Turn
from cluster.router import fence
from cluster.router.redis import RedisRouter
from cluster.xmpp.stanza import Stanza
from tests.ports.worlds import CAPULET, MONTAGUE, Node, RedisWorld, World, chat, text_of
from tests.unit.router.readers import Handed, reader

SECOND, THIRD = f"{MONTAGUE}/s1-2", f"{MONTAGUE}/s1-3"


async def sender(world: RedisWorld, name: str) -> Node:
    """A node of montague.lit, by the name of its links; it reads nothing."""
    node = Node(world.reactor)
    client = world.clients[node] = await world.client(MONTAGUE)
    world.valkey.admin.sadd(world.keys.nodes(MONTAGUE).domains, name.rpartition("/")[2])
    node.router = RedisRouter(
        world.reactor, client, world.keys, turn=Turn(world.reactor), domain=MONTAGUE, sender=name, tracer=node.tracer,
        max_backlog=1_000, now_utc_s=world.reactor.seconds, share=Handed(False),
    )  # fmt: skip
    await node.router.start(node)
    return node


async def say(node: Node, *texts: str) -> None:
    """Each in an entry of its own."""
    for text in texts:
        await node.sent(chat(text))


def others_gone(node: Node) -> None:
    """It hears that a node of its domain is no more."""
    assert isinstance(node.router, RedisRouter)
    node.router.node_gone()


def numbers(first: int, count: int) -> list[str]:
    return [str(number) for number in range(first, first + count)]


def texts(node: Node) -> list[str]:
    return [text_of(stanza) for stanza in node.delivered]


def unread(world: RedisWorld, from_: str) -> int:
    return int(world.valkey.admin.xlen(world.keys.link(CAPULET, from_)))


def test_what_the_node_that_is_gone_had_written_is_read_first(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        one = await sender(world, MONTAGUE)
        await say(one, *numbers(0, 100))
        await world.crash(one)
        two = await sender(world, SECOND)
        await say(two, *numbers(100, 100))
        s2 = await world.start(CAPULET)
        await world.until(lambda: len(s2.delivered) == 200)
        assert texts(s2) == numbers(0, 200)
        await world.until_empty(MONTAGUE, CAPULET)
        await world.until_empty(SECOND, CAPULET)

    world.run(scenario)


def test_so_it_is_where_the_other_node_has_an_open_link(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        one, two = await sender(world, MONTAGUE), await sender(world, SECOND)
        await say(two, "before")
        await say(one, *numbers(0, 100))
        await world.crash(one)
        others_gone(two)
        await say(two, *numbers(100, 100))
        s2 = await world.start(CAPULET)
        await world.until(lambda: len(s2.delivered) == 201)
        assert [text for text in texts(s2) if text != "before"] == numbers(0, 200)

    world.run(scenario)


def test_so_it_is_over_several_takeovers_there_and_back(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        one, two, three = [await sender(world, name) for name in (MONTAGUE, SECOND, THIRD)]
        await say(one, *numbers(0, 30))
        await world.crash(one)
        others_gone(two)
        others_gone(three)
        await say(two, *numbers(30, 30))
        await world.crash(two)
        others_gone(three)
        await say(three, *numbers(60, 30))
        one = await sender(world, MONTAGUE)
        await world.crash(three)
        others_gone(one)
        await say(one, *numbers(90, 30))
        s2 = await world.start(CAPULET)
        await world.until(lambda: len(s2.delivered) == 120)
        assert texts(s2) == numbers(0, 120)

    world.run(scenario)


def test_so_it_is_where_the_reader_is_there_and_slow(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s2, held = await world.start(CAPULET), list[Deferred[None]]()

        def hold(stanza: Stanza) -> Settled:
            held.append(Deferred())
            return held[-1]

        s2.settled_by = hold
        one, two = await sender(world, MONTAGUE), await sender(world, SECOND)
        await say(one, *numbers(0, 5))
        await world.until(lambda: len(held) == 5)
        await world.crash(one)
        others_gone(two)
        await say(two, *numbers(5, 5))
        await world.until(lambda: unread(world, SECOND) == 6)
        assert texts(s2) == numbers(0, 5)
        while len(s2.delivered) < 10:
            while held:
                held.pop().callback(None)
            await world.turn()
        assert texts(s2) == numbers(0, 10)

    world.run(scenario)


def test_so_it_is_where_another_reader_takes_over_in_the_middle(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        one, two = await sender(world, MONTAGUE), await sender(world, SECOND)
        await say(one, *numbers(0, 5))
        await world.crash(one)
        others_gone(two)
        await say(two, *numbers(5, 20))
        first = await reader(world, Handed(True))
        first.settled_by = lambda stanza: Deferred()
        await world.until(lambda: len(first.delivered) == 5 and pending(world, SECOND))
        await world.crash(first)
        second = await reader(world, Handed(True))
        await world.until(lambda: len(second.delivered) == 25)
        assert texts(first) == numbers(0, 5)
        assert texts(second) == numbers(0, 25)

    world.run(scenario)


def pending(world: RedisWorld, from_: str) -> int:
    return sum(group["pending"] for group in world.valkey.admin.xinfo_groups(world.keys.link(CAPULET, from_)))


def test_who_has_nothing_to_follow_writes_nothing_about_it(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s2 = await world.start(CAPULET)
        one = await sender(world, MONTAGUE)
        await say(one, "first")
        await world.until(lambda: s2.delivered)
        await world.until_empty(MONTAGUE, CAPULET)
        await s2.router.stop()
        await world.crash(one)
        two = await sender(world, SECOND)
        await say(two, "second", "third")
        assert unread(world, SECOND) == 2

    world.run(scenario)


def test_a_wait_is_told_and_over_when_nobody_is_to_read_the_other_link(
    world: RedisWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "TOLD_AFTER_S", 0.0)

    async def scenario(_: World) -> None:
        one, two = await sender(world, SECOND), await sender(world, MONTAGUE)
        await say(one, "of a node that was taken out of the topology")
        await world.crash(one)
        others_gone(two)
        await say(two, "new")
        s2 = await reader(world, Handed(True))
        s2.settled_by = lambda stanza: Deferred()
        told: list[str] = []
        monkeypatch.setattr(fence._log, "warn", lambda what, **values: told.append(what.format(**values)))
        # A router of an earlier test, which crashed at a fence, shares this log.
        expected = f"What comes from {MONTAGUE} waits until what came from {SECOND} up to "
        await world.until(lambda: any(warning.startswith(expected) for warning in told))
        world.valkey.admin.srem(world.keys.nodes(MONTAGUE).domains, "s1-2")
        await world.until(lambda: "new" in texts(s2))

    world.run(scenario)


@pytest.mark.parametrize(
    "after",
    [
        {},
        {SECOND: "junk"},
        {SECOND: "9999999999999-0"},
        {"shakespeare.lit": "1-0", "*": "1-0", "": "1-0"},
        {MONTAGUE: "1-0"},
        {SECOND: 7},
        ["junk"],
    ],
)
def test_a_sender_that_lies_about_it_holds_up_nobody(world: RedisWorld, after: object) -> None:
    async def scenario(_: World) -> None:
        s2, one = await world.start(CAPULET), await sender(world, MONTAGUE)
        await say(one, "first")
        await world.until(lambda: s2.delivered)
        world.valkey.admin.xadd(world.keys.link(CAPULET, MONTAGUE), {"b": msgspec.msgpack.encode(after)})
        await world.crash(one)
        one = await sender(world, MONTAGUE)
        await say(one, "last")
        await world.until(lambda: len(s2.delivered) == 2)
        await world.until_empty(MONTAGUE, CAPULET)

    world.run(scenario)


def test_what_redis_refuses_of_it_is_tried_again(own_world: RedisWorld) -> None:
    world = own_world

    async def scenario(_: World) -> None:
        one, two = await sender(world, MONTAGUE), await sender(world, SECOND)
        await say(one, *numbers(0, 20))
        await world.crash(one)
        others_gone(two)
        refuse(world, "1")
        await say(two, "refused")
        assert [text_of(stanza) for stanza, _ in two.bounced] == ["refused"]
        refuse(world, "0")
        await say(two, *numbers(20, 20))
        s2 = await world.start(CAPULET)
        await world.until(lambda: len(s2.delivered) == 40)
        assert texts(s2) == numbers(0, 40)

    world.run(scenario)


def refuse(world: RedisWorld, bytes_: str) -> None:
    world.valkey.admin.config_set("maxmemory", bytes_)
