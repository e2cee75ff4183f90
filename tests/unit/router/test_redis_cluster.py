"""What happens to the stanzas when the cluster that carries them is disturbed."""

from __future__ import annotations

import pytest

from cluster.redisio.keys import Keys
from tests.harness import ReactorThread, until
from tests.ports.worlds import CAPULET, MONTAGUE, SHAKESPEARE, Node, RedisWorld
from tests.unit.router.readers import all_arrive_once_in_order
from tests.valkey_cluster import ValkeyCluster

KEYS = Keys.of_lab("own")


@pytest.fixture
def own_world(reactor_thread: ReactorThread, own_cluster: ValkeyCluster) -> RedisWorld:
    world = RedisWorld(reactor_thread, own_cluster, KEYS)
    world.max_backlog = 10_000  # who reads may be back later than who writes
    return world


@pytest.mark.parametrize("domain", [MONTAGUE, CAPULET, SHAKESPEARE])
def test_when_a_master_is_killed_and_comes_back_nothing_is_lost_and_nothing_comes_twice(
    own_world: RedisWorld, own_cluster: ValkeyCluster, domain: str
) -> None:
    """A master of what the sender writes, of what is its own, or of neither."""
    master = own_cluster.owner(KEYS.link(domain, MONTAGUE))

    async def kill(s1: Node) -> None:
        master.kill()

    async def start(s1: Node) -> None:
        await until(own_world.reactor, lambda: not own_world.clients[s1].connected)
        master.start()

    own_world.run(lambda world: all_arrive_once_in_order(world, {20: kill, 40: start}))


def test_when_a_link_moves_to_another_master_nothing_is_lost_and_nothing_comes_twice(
    own_world: RedisWorld, own_cluster: ValkeyCluster
) -> None:
    async def move(s1: Node) -> None:
        own_cluster.move(KEYS.link(CAPULET, MONTAGUE))

    own_world.run(lambda world: all_arrive_once_in_order(world, {20: move, 50: move, 80: move}))
