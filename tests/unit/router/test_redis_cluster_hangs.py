"""A master of a cluster that hangs, and whose replica takes over; and one that is lost for good."""

from __future__ import annotations

import signal

import pytest

import cluster.redisio.client as client_module
from cluster.redisio.keys import Keys
from cluster.redisio.silence import FAILOVER_COMMANDS
from tests.harness import ReactorThread
from tests.ports.worlds import CAPULET, MONTAGUE, RedisWorld, World, chat, text_of
from tests.valkey_cluster import ValkeyCluster

KEYS = Keys.of_lab("own")


@pytest.fixture
def own_world(reactor_thread: ReactorThread, own_cluster: ValkeyCluster) -> RedisWorld:
    world = RedisWorld(reactor_thread, own_cluster, KEYS)
    world.max_backlog = 10_000
    return world


@pytest.mark.parametrize("comes_back", [True, False], ids=["for a while", "for good"])
def test_when_a_master_hangs_until_its_replica_has_taken_over_nothing_acknowledged_is_lost(
    own_world: RedisWorld, own_cluster: ValkeyCluster, comes_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sooner = FAILOVER_COMMANDS._replace(look_s=0.25, late_s=0.25, looks=10_000 if comes_back else 6)
    monkeypatch.setattr(client_module, "FAILOVER_COMMANDS", sooner)
    master = own_cluster.owner(KEYS.doorbell(CAPULET))
    own_cluster.add_replica(master)
    replica = own_cluster.nodes[-1]
    for each in (MONTAGUE, CAPULET):
        own_world.let_in(each)  # there too

    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("before"))
        await world.until_empty(MONTAGUE, CAPULET)
        sent = ["before"]
        settled = []
        master.admin.execute_command("WAIT", 1, 0)
        master.process.send_signal(signal.SIGSTOP)
        has_taken_over = False
        while not has_taken_over:
            sent.append(str(len(sent)))
            settled.append(s1.send(chat(sent[-1])))
            has_taken_over = replica.admin.info("replication")["role"] == "master"
            await world.turn()
        if comes_back:
            master.process.send_signal(signal.SIGCONT)
        for each in settled:
            if each is not None:
                await each
        await s1.sent(chat("last"))
        await world.until(lambda: s2.delivered and text_of(s2.delivered[-1]) == "last")
        bounced = {text_of(stanza) for stanza, _ in s1.bounced}
        assert [text_of(stanza) for stanza in s2.delivered] == [text for text in [*sent, "last"] if text not in bounced]

    try:
        own_world.run(scenario)
    finally:
        master.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("elsewhere", ["elsinore.lit", "padua.lit"])
def test_a_lost_master_does_not_stop_domains_that_are_elsewhere(
    own_world: RedisWorld, own_cluster: ValkeyCluster, elsewhere: str
) -> None:
    """One that has a domain and nothing else, and one that also knows which domains there are."""
    for node in own_cluster.nodes:
        node.admin.config_set("cluster-require-full-coverage", "no")
    lost = own_cluster.owner(KEYS.doorbell(elsewhere))
    assert lost not in (own_cluster.owner(KEYS.doorbell(MONTAGUE)), own_cluster.owner(KEYS.doorbell(CAPULET)))
    assert (lost is own_cluster.owner(KEYS.domains)) == (elsewhere == "padua.lit")
    own_cluster.admin.sadd(KEYS.domains, elsewhere)
    own_world.let_in(elsewhere)
    to_it = f"somebody@{elsewhere}"

    async def scenario(world: World) -> None:
        s1, s2, s3 = await world.start(MONTAGUE), await world.start(CAPULET), await world.start(elsewhere)
        await s1.sent(chat("opens the link"))
        await s1.sent(chat("opens the link", to=to_it))
        await world.until(lambda: s2.delivered and s3.delivered)
        lost.kill()
        await world.until(lambda: not own_world.clients[s1].connected)
        waits = s1.send(chat("waits", to=to_it))
        for number in range(100):
            await s1.sent(chat(str(number)))
        await world.until(lambda: len(s2.delivered) == 101)
        assert waits is not None
        assert not waits.called
        again = await world.start(CAPULET)  # also who starts now is served
        await s1.sent(chat("for it"))
        await world.until(lambda: "for it" in {text_of(stanza) for stanza in s2.delivered + again.delivered})
        lost.start()
        await waits
        await world.until(lambda: len(s3.delivered) == 2)
        assert s1.bounced == []

    own_world.run(scenario)
