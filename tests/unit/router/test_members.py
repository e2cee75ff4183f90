"""What a node knows of its own standing among the nodes of its domain."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from cluster.membership.members import HEARTBEAT_S, HEARTBEATS_ALONE, LEASE_ALONE_S, LEASE_S, Members
from cluster.redisio.keys import Keys
from tests.harness import ReactorThread, Valkey
from tests.ports.worlds import CAPULET, Node, RedisWorld, World


def test_who_stood_still_is_not_sure_of_its_links_until_its_next_beat(
    reactor_thread: ReactorThread, valkey: Valkey, keys: Keys
) -> None:
    world = RedisWorld(reactor_thread, valkey, keys)

    async def scenario(_: World) -> None:
        clock = Clock()
        client = world.clients[Node(world.reactor)] = await world.client(CAPULET)
        members = Members(clock, client, keys.nodes(CAPULET), "s2", "incarnation")
        await members.join(lambda: None, lambda: None)
        assert members.holds_lease()
        clock.advance(LEASE_ALONE_S)  # the others may have fenced it by now
        assert not members.holds_lease()
        await world.until(members.holds_lease)

    world.run(scenario)


class Beats:
    """Members of one domain, each with a clock of its own, and the beats that Redis has of them."""

    def __init__(self, world: RedisWorld, keys: Keys) -> None:
        self.world = world
        self.keys = keys.nodes(CAPULET)
        self.fenced: list[str] = []

    async def join(self, name: str, clock: Clock, incarnation: str = "1") -> Members:
        client = self.world.clients[Node(self.world.reactor)] = await self.world.client(CAPULET)
        members = Members(clock, client, self.keys, name, incarnation)
        await members.join(lambda: None, lambda: self.fenced.append(members.me))
        return members

    def count(self, name: str) -> int:
        return int(self.world.valkey.admin.hget(self.keys.beats, name) or 0)

    def present(self) -> set[bytes]:
        return {*self.world.valkey.admin.hkeys(self.keys.members)}


@pytest.fixture
def beats(reactor_thread: ReactorThread, valkey: Valkey, keys: Keys) -> Beats:
    return Beats(RedisWorld(reactor_thread, valkey, keys), keys)


def test_a_node_that_is_alone_beats_seldom_and_is_sure_until_the_next_one(beats: Beats) -> None:
    async def scenario(_: World) -> None:
        clock = Clock()
        members = await beats.join("s2", clock)
        await beats.world.until(lambda: members.present)
        for _round in range(3):
            before = beats.count("s2")
            clock.pump([HEARTBEAT_S] * (HEARTBEATS_ALONE - 1))
            assert members.holds_lease()
            assert beats.count("s2") == before
            clock.advance(HEARTBEAT_S)
            await beats.world.until(lambda before=before: beats.count("s2") == before + 1)  # type: ignore[misc]

    beats.world.run(scenario)


def test_a_node_that_joins_makes_the_other_beat_at_once_and_often(beats: Beats) -> None:
    async def scenario(_: World) -> None:
        clock = Clock()
        first = await beats.join("s2", clock)
        before = beats.count("s2")
        second = await beats.join("s2-2", Clock())
        await beats.world.until(lambda: "s2-2" in first.present and beats.count("s2") > before)
        assert clock.seconds() == 0
        clock.advance(LEASE_S)
        assert not first.holds_lease()
        await beats.world.until(first.holds_lease)
        before = beats.count("s2")
        clock.advance(HEARTBEAT_S)
        await beats.world.until(lambda: beats.count("s2") == before + 1)
        assert "s2" in second.present

    beats.world.run(scenario)


def test_one_that_hung_while_it_was_alone_is_fenced_only_when_its_lease_is_over(beats: Beats) -> None:
    async def scenario(_: World) -> None:
        time = Clock()
        hung = Clock()  # its calls are never made, and it hears nothing
        hung.seconds = time.seconds  # type: ignore[method-assign]
        alone = await beats.join("s2", hung)
        await [*beats.world.clients.values()][-1].close()
        assert alone.holds_lease()
        await beats.join("s2-2", time)
        while b"s2" in beats.present():
            before = beats.count("s2-2")
            time.advance(HEARTBEAT_S)
            await beats.world.until(lambda before=before: beats.count("s2-2") > before)  # type: ignore[misc]
            await beats.world.clients[[*beats.world.clients][-1]].flush()
        assert not alone.holds_lease()
        assert time.seconds() <= LEASE_ALONE_S + 3 * HEARTBEAT_S

    beats.world.run(scenario)


def test_a_new_process_of_its_name_fences_one_that_was_alone_at_once(beats: Beats) -> None:
    async def scenario(_: World) -> None:
        await beats.join("s2", Clock(), "former")
        await beats.join("s2", Clock(), "new")
        await beats.world.until(lambda: beats.fenced == ["s2#former"])

    beats.world.run(scenario)
