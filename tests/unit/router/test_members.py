"""What a node knows of its own standing among the nodes of its domain."""

from __future__ import annotations

from twisted.internet.task import Clock

from cluster.membership.members import HEARTBEAT_S, MISSED_HEARTBEATS, Members
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
        clock.advance(MISSED_HEARTBEATS * HEARTBEAT_S)  # the others may have expelled it by now
        assert not members.holds_lease()
        await world.until(members.holds_lease)

    world.run(scenario)
