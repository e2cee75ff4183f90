"""How a reader is told of an entry: with its bytes, or by a doorbell."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from twisted.internet.defer import Deferred

from cluster.base.settled import Settled
from cluster.router import link_script
from tests.ports.worlds import (
    CAPULET,
    MONTAGUE,
    RedisWorld,
    World,
    chat,
    text_of,
)
from tests.unit.router.readers import Handed, given, reader


def test_a_bell_that_names_nobody_opens_no_link(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        for name in ("evil.lit", "foo}:montague.lit", "*", "", b"\xff\x00", "x" * 100_000):
            world.valkey.admin.publish(world.keys.doorbell(CAPULET), name)
            world.valkey.admin.sadd(world.keys.peers(CAPULET), name)
        await s1.sent(chat("honest"))
        await world.until(lambda: s2.delivered)
        world.valkey.admin.execute_command("CLIENT", "KILL", "USER", world.user(CAPULET))  # it looks at its peers again
        await s1.sent(chat("honest again"))
        await world.until(lambda: len(s2.delivered) == 2)
        await world.until_empty(MONTAGUE, CAPULET)

    world.run(scenario)
    links = [*world.valkey.admin.scan_iter(f"{world.keys.prefix}:link:*")]
    assert links == [world.keys.link(CAPULET, MONTAGUE).encode()]


def test_a_bell_rung_in_vain_does_no_harm(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        for _ in range(100):
            world.valkey.admin.publish(world.keys.doorbell(CAPULET), MONTAGUE)
        await s1.sent(chat("once"))
        await world.until(lambda: s2.delivered)
        await world.until_empty(MONTAGUE, CAPULET)
        assert len(s2.delivered) == 1

    world.run(scenario)


def announced(world: RedisWorld) -> Callable[[], int | None]:
    """Listens to the link from now on: the size of the next announced entry, 0 where it was announced without bytes."""
    ear = world.valkey.admin.pubsub(ignore_subscribe_messages=True)
    ear.subscribe(world.keys.link(CAPULET, MONTAGUE))
    ear.get_message(timeout=60)

    def size() -> int | None:
        message = ear.get_message()
        return None if message is None else len(message["data"].split(b" ", 2)[2])

    return size


def test_what_a_slow_reader_does_not_take_is_not_kept_twice(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1 = await world.start(MONTAGUE)
        size = announced(world)
        for number in range(link_script.CARRIED_BACKLOG + 3):
            await s1.sent(chat(str(number)))
        sizes = [size() for _ in range(link_script.CARRIED_BACKLOG + 3)]
        assert [bool(each) for each in sizes] == [True] * (link_script.CARRIED_BACKLOG + 1) + [False] * 2

    world.max_backlog = 1_000
    world.run(scenario)


def test_a_big_entry_is_announced_without_its_bytes(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("opens the link"))
        await world.until(lambda: s2.delivered)
        size = announced(world)
        for text in ("small", "x" * link_script.CARRIED_BYTES, "small again"):
            await s1.sent(chat(text))
        await world.until(lambda: len(s2.delivered) == 4)
        assert [bool(size()) for _ in range(3)] == [True, False, True]
        assert [text_of(stanza)[:5] for stanza in s2.delivered[1:]] == ["small", "xxxxx", "small"]

    world.run(scenario)


def test_what_was_not_announced_is_not_overtaken(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("first"))
        await world.until(lambda: s2.delivered)
        link = world.keys.link(CAPULET, MONTAGUE)
        world.valkey.admin.xadd(link, {"b": msgspec.msgpack.encode([chat("silent")])})
        later = f"{2**50}-0"
        world.valkey.admin.xadd(link, {"b": msgspec.msgpack.encode([chat("last")])}, id=later)
        entry = msgspec.msgpack.encode([chat("last")])
        world.valkey.admin.publish(link, b"%d-1 %s %b" % (2**49, later.encode(), entry))  # after one we have not seen
        await world.until(lambda: len(s2.delivered) == 3)
        assert [text_of(stanza) for stanza in s2.delivered] == ["first", "silent", "last"]
        await world.until_empty(MONTAGUE, CAPULET)

    world.run(scenario)


@pytest.mark.parametrize("junk", [b"", b" ", b"0-0", b"0-0 1-1", b"0-0 1-1 junk", b"\xff \xfe \xfd", b"x" * 100_000])
def test_an_announcement_that_nobody_understands_does_no_harm(world: RedisWorld, junk: bytes) -> None:
    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("before"))
        await world.until(lambda: s2.delivered)
        world.valkey.admin.publish(world.keys.link(CAPULET, MONTAGUE), junk)
        await s1.sent(chat("behind"))
        await world.until(lambda: len(s2.delivered) == 2)
        await world.until_empty(MONTAGUE, CAPULET)
        assert [text_of(stanza) for stanza in s2.delivered] == ["before", "behind"]

    world.run(scenario)


def test_who_may_have_been_taken_for_dead_asks_redis_what_is_left_to_read(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        share = Handed(True)
        s1, s2 = await world.start(MONTAGUE), await reader(world, share)
        await s1.sent(chat("opens the link"))
        await world.until_empty(MONTAGUE, CAPULET)
        never: Settled = Deferred()
        s2.settled_by = lambda stanza: never
        await s1.sent(chat("sure"))
        await world.until(lambda: len(s2.delivered) == 2)
        assert given(world) == 0
        share.sure = False
        await s1.sent(chat("not sure"))
        await world.until(lambda: len(s2.delivered) == 3)
        assert given(world) == 2

    world.run(scenario)
