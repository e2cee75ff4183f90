"""Faults of links, on a real Redis."""

from __future__ import annotations

import msgspec
import pytest

from cluster.base.turn import Turn
from cluster.router import faulty
from cluster.router.redis import RedisRouter
from tests.ports.worlds import (
    CAPULET,
    MONTAGUE,
    SHAKESPEARE,
    Node,
    RedisWorld,
    World,
    chat,
    settings,
    text_of,
)
from tests.unit.router.readers import Handed, given, reader


def put_old_entries(world: RedisWorld, count: int, text: str = "old") -> None:
    """What an earlier process of montague.lit wrote to capulet.lit."""
    entry = msgspec.msgpack.encode([chat(text)])
    pipeline = world.valkey.admin.pipeline()
    for _ in range(count):
        pipeline.xadd(world.keys.link(CAPULET, MONTAGUE), {"b": entry})
    pipeline.sadd(world.keys.peers(CAPULET), MONTAGUE)
    pipeline.execute()


def test_what_a_fault_delays_does_not_fill_the_reading_window(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        put_old_entries(world, 600)
        await world.set_faults(MONTAGUE, CAPULET, delay="60m")
        s2 = await world.start(CAPULET)
        await world.until(lambda: given(world) == 600)
        assert s2.delivered == []
        await world.set_faults(MONTAGUE, CAPULET)
        await world.until_empty(MONTAGUE, CAPULET)
        assert len(s2.delivered) == 600

    world.run(scenario)


def test_what_a_fault_delays_is_bounded_in_memory(world: RedisWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulty, "MAX_HELD_BYTES", 1_000_000)

    async def scenario(_: World) -> None:
        put_old_entries(world, 400, "x" * 10_000)
        await world.set_faults(MONTAGUE, CAPULET, delay="60m")
        s2 = await world.start(CAPULET)
        await world.until(lambda: given(world) >= 100)
        heard: list[bytes] = []
        await world.clients[s2].subscribe(world.keys.link(CAPULET, SHAKESPEARE), heard.append)
        for rung in range(1, 4):
            world.valkey.admin.publish(world.keys.doorbell(CAPULET), MONTAGUE)
            world.valkey.admin.publish(world.keys.link(CAPULET, SHAKESPEARE), "behind it")
            await world.until(lambda rung=rung: len(heard) == rung)
            await world.clients[s2].flush()
        assert given(world) < 100 + 64
        await world.set_faults(MONTAGUE, CAPULET)
        await world.until_empty(MONTAGUE, CAPULET)
        assert len(s2.delivered) == 400

    world.run(scenario)


def test_faults_that_changed_while_redis_was_away_are_known_with_the_next_connection(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("before"))
        await world.until(lambda: s2.delivered)
        raw = msgspec.json.encode(settings(0, {"loss": "100%"}))
        world.valkey.admin.hset(world.keys.faults(CAPULET), MONTAGUE, raw)  # and nobody says so
        world.valkey.admin.execute_command("CLIENT", "KILL", "USER", world.user(CAPULET))
        await world.until(lambda: not world.clients[s2].connected)
        await s1.sent(chat("lost"))
        await world.until(lambda: world.lost(MONTAGUE, CAPULET) == 1)
        assert len(s2.delivered) == 1

    world.run(scenario)


@pytest.mark.parametrize(
    "raw",
    [b"junk", b"[]", b'{"seed":"1","faults":{"lag":1}}', b'{"seed":"1","faults":{"down":7}}', b"\xff"],
    ids=["junk", "list", "unknown fault", "wrong value", "bytes"],
)
def test_faults_that_nobody_can_read_are_none(world: RedisWorld, raw: bytes) -> None:
    async def scenario(_: World) -> None:
        world.valkey.admin.hset(world.keys.faults(CAPULET), MONTAGUE, raw)
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("hi!"))
        await world.until(lambda: s2.delivered)

    world.run(scenario)


def test_a_reader_that_lets_go_does_not_wait_for_what_a_fault_holds(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        await world.set_faults(MONTAGUE, CAPULET, delay="60m")
        s1, turns = await world.start(MONTAGUE), [Handed(True), Handed(False)]
        nodes = [await reader(world, turn) for turn in turns]
        for number in range(5):
            await s1.sent(chat(str(number)))
        await world.until(lambda: nodes[0].router._inbound._links[MONTAGUE]._unsettled == 5)
        turns[0].has, turns[1].has = False, True
        nodes[0].router.share_changed()
        await world.until(lambda: turns[0].given_back == [MONTAGUE])
        link = world.keys.link(CAPULET, MONTAGUE)
        await world.until(
            lambda: world.valkey.admin.pubsub_numsub(link) == [(link.encode(), 0)]
        )  # so the doorbell rings
        nodes[1].router.share_changed()
        await world.until(lambda: MONTAGUE in nodes[1].router._inbound._links)
        await world.set_faults(MONTAGUE, CAPULET)
        await world.until(lambda: len(nodes[1].delivered) == 5)
        await world.until_empty(MONTAGUE, CAPULET)
        assert nodes[0].delivered == []

    world.run(scenario)


def test_all_nodes_of_a_domain_share_the_faults_of_its_link(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s2, further = await world.start(CAPULET), Node(world.reactor)
        world.valkey.admin.sadd(world.keys.nodes(MONTAGUE).domains, "s1-2")
        client = world.clients[further] = await world.client(MONTAGUE)
        further.router = RedisRouter(
            world.reactor, client, world.keys, domain=MONTAGUE, tracer=further.tracer, max_backlog=50,
            now_utc_s=world.reactor.seconds,
            turn=Turn(world.reactor), sender="montague.lit/s1-2", share=Handed(False),
        )  # fmt: skip
        await further.router.start(further)
        await world.set_faults(MONTAGUE, CAPULET, loss="100%")
        await further.sent(chat("lost"))
        await world.until(lambda: world.lost(MONTAGUE, CAPULET) == 1)
        await world.set_faults(MONTAGUE, CAPULET)
        await further.sent(chat("found"))
        await world.until(lambda: s2.delivered)
        assert [text_of(stanza) for stanza in s2.delivered] == ["found"]

    world.run(scenario)


def test_what_is_announced_after_a_change_meets_the_new_faults(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("before"))
        await world.until_empty(MONTAGUE, CAPULET)
        for turn in range(20):
            await world.set_faults(MONTAGUE, CAPULET, loss="100%")
            await s1.sent(chat("lost"))
            await world.until(lambda turn=turn: world.lost(MONTAGUE, CAPULET) == turn + 1)
            await world.set_faults(MONTAGUE, CAPULET)
            await s1.sent(chat("found"))
            await world.until(lambda turn=turn: len(s2.delivered) == turn + 2)

    world.run(scenario)
