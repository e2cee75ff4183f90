"""What happens to the stanzas when the Redis that carries them is killed, and its replica takes over."""

from __future__ import annotations

import pytest

import cluster.redisio.client as client_module
from cluster.redisio.keys import Keys
from cluster.redisio.silence import FAILOVER_COMMANDS
from tests.harness import ReactorThread
from tests.ports.worlds import CAPULET, MONTAGUE, RedisWorld, World, chat, text_of
from tests.valkey_sentinel import ValkeySentinel

KEYS = Keys.of_lab("own")


@pytest.fixture
def own_world(reactor_thread: ReactorThread, own_sentinel: ValkeySentinel) -> RedisWorld:
    world = RedisWorld(reactor_thread, own_sentinel, KEYS)
    world.max_backlog = 10_000  # who reads may be back later than who writes
    return world


@pytest.mark.parametrize("hangs", [False, True], ids=["killed", "hangs"])
def test_when_the_replica_takes_over_all_arrives_in_order(
    own_world: RedisWorld, own_sentinel: ValkeySentinel, hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read comes again if the replica has not got the acknowledgement."""
    monkeypatch.setattr(client_module, "FAILOVER_COMMANDS", FAILOVER_COMMANDS._replace(look_s=0.25, late_s=0.25))

    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        sent: list[str] = []
        settled = []
        while not own_sentinel.has_failed_over():
            sent.append(str(len(sent)))
            settled.append(s1.send(chat(sent[-1])))
            await world.turn()
            if len(sent) == 20:
                own_sentinel.master.pause() if hangs else own_sentinel.kill_master()
        own_sentinel.master.resume()
        for each in settled:
            if each is not None:
                await each
        await s1.sent(chat("last"))
        await world.until(lambda: s2.delivered and text_of(s2.delivered[-1]) == "last")
        assert [*dict.fromkeys(map(text_of, s2.delivered))] == [*sent, "last"]
        assert s1.bounced == []

    own_world.run(scenario)


def test_what_the_replica_has_not_got_the_sender_writes_again(
    own_world: RedisWorld, own_sentinel: ValkeySentinel
) -> None:
    async def scenario(world: World) -> None:
        s1 = await world.start(MONTAGUE)
        await s1.sent(chat("0"))
        own_sentinel.stop_replication()
        for number in range(1, 20):
            await s1.sent(chat(str(number)))  # acknowledged
        own_sentinel.kill_master()
        await world.until(own_sentinel.has_failed_over)
        s2 = await world.start(CAPULET)
        await s1.sent(chat("20"))
        await world.until(lambda: len(s2.delivered) == 21)
        assert [text_of(stanza) for stanza in s2.delivered] == [str(number) for number in range(21)]

    own_world.run(scenario)
