"""What happens to the stanzas when the cluster that carries them is disturbed."""

from __future__ import annotations

import pytest

from cluster.redisio.keys import Keys
from tests.harness import ReactorThread
from tests.ports.worlds import CAPULET, MONTAGUE, SHAKESPEARE, RedisWorld, World, chat, text_of
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

    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        sent: list[str] = []
        for turn in range(60):
            for _ in range(3):
                sent.append(str(len(sent)))
                s1.send(chat(sent[-1]))
            if turn == 20:
                master.kill()
            if turn == 40:
                await world.until(lambda: not own_world.clients[s1].connected)
                master.start()
            await world.turn()
        await s1.sent(chat("last"))
        await world.until(lambda: s2.delivered and text_of(s2.delivered[-1]) == "last")
        assert [text_of(stanza) for stanza in s2.delivered] == [*sent, "last"]
        await world.until_empty(MONTAGUE, CAPULET)
        assert s1.bounced == []

    own_world.run(scenario)


def test_when_a_link_moves_to_another_master_nothing_is_lost_and_nothing_comes_twice(
    own_world: RedisWorld, own_cluster: ValkeyCluster
) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        sent: list[str] = []
        for turn in range(90):
            for _ in range(3):
                sent.append(str(len(sent)))
                s1.send(chat(sent[-1]))
            if turn % 30 == 20:
                own_cluster.move(KEYS.link(CAPULET, MONTAGUE))
            await world.turn()
        await s1.sent(chat("last"))
        await world.until(lambda: s2.delivered and text_of(s2.delivered[-1]) == "last")
        assert [text_of(stanza) for stanza in s2.delivered] == [*sent, "last"]
        await world.until_empty(MONTAGUE, CAPULET)
        assert s1.bounced == []

    own_world.run(scenario)
