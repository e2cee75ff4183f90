"""What becomes of the stanzas when one connection to Redis is lost and the other is not, and when Redis hangs."""

from __future__ import annotations

import pytest

import cluster.redisio.client as client_module
from cluster.redisio.silence import COMMANDS
from tests.harness import Valkey, until
from tests.ports.worlds import CAPULET, MONTAGUE, Node, RedisWorld, World, chat, text_of
from tests.unit.router.readers import all_arrive_once_in_order, given


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
def test_when_one_sort_of_connection_is_cut_nothing_is_lost_and_all_stays_in_order(
    own_world: RedisWorld, kind: str
) -> None:
    async def cut(s1: Node) -> None:
        own_world.valkey.admin.execute_command("CLIENT", "KILL", "TYPE", kind)

    own_world.run(lambda world: all_arrive_once_in_order(world, {20: cut, 40: cut, 41: cut, 60: cut}))


def test_a_reader_that_was_cut_off_because_it_was_owed_too_much_reads_the_stream(own_world: RedisWorld) -> None:
    """Its process stood still, and Redis may not keep what it does not read."""
    own_world.valkey.admin.config_set("client-output-buffer-limit", "pubsub 16kb 0 0")

    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("opens the link"))
        await world.until(lambda: s2.delivered)
        [ear] = own_world.clients[s2]._ear.all
        ear.transport.pauseProducing()
        cut_before = own_world.valkey.admin.info("stats")["client_output_buffer_limit_disconnections"]
        texts = [f"{number} {'x' * 30_000}" for number in range(40)]
        for text in texts:
            await s1.sent(chat(text))
        assert own_world.valkey.admin.info("stats")["client_output_buffer_limit_disconnections"] > cut_before
        ear.transport.resumeProducing()
        await world.until(lambda: len(s2.delivered) == 41)
        assert [text_of(stanza) for stanza in s2.delivered[1:]] == texts
        assert own_world.clients[s2].connected

    own_world.run(scenario)


def test_one_link_owes_its_reader_less_than_a_mebibyte(world: RedisWorld) -> None:
    async def scenario(_: World) -> None:
        s1 = await world.start(MONTAGUE)
        with world.valkey.admin.pubsub(ignore_subscribe_messages=True) as ear:
            ear.subscribe(world.keys.link(CAPULET, MONTAGUE))
            ear.get_message(timeout=60)
            for size in (60_000, 30_000, 15_000, 7_000, 3_000):
                for _ in range(20):
                    await s1.sent(chat("x" * size))
            announced = [len(ear.get_message(timeout=60)["data"]) for _ in range(100)]
        assert max(announced) > 60_000
        assert sum(announced) < 1 << 20

    world.max_backlog = 1_000
    world.run(scenario)


def test_what_is_announced_while_commands_do_not_go_through_waits_in_the_stream(own_world: RedisWorld) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("before"))
        await world.until_empty(MONTAGUE, CAPULET)
        client = own_world.clients[s2]
        heard: list[bytes] = []
        [commands] = client._commands.all
        link = own_world.keys.link(CAPULET, MONTAGUE)
        client._commands._nodes.clear()
        client._commands._only = None
        await s1.sent(chat("meanwhile"))
        await client.subscribe(own_world.keys.link(CAPULET, "shakespeare.lit"), heard.append)
        own_world.valkey.admin.publish(own_world.keys.link(CAPULET, "shakespeare.lit"), "behind it")
        await world.until(lambda: heard)
        assert len(s2.delivered) == 1
        assert own_world.valkey.admin.xlen(link) == 1
        assert given(own_world) == 0
        commands.abort()
        client._commands._mend()
        await world.until(lambda: len(s2.delivered) == 2)
        await world.until_empty(MONTAGUE, CAPULET)

    own_world.run(scenario)


@pytest.mark.parametrize("looks", [3, 10_000], ids=["given up", "waited for"])
def test_when_redis_hangs_for_a_while_nothing_is_lost_and_nothing_comes_twice(
    own_world: RedisWorld, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    monkeypatch.setattr(client_module, "COMMANDS", COMMANDS._replace(look_s=0.05, looks=looks))
    valkey = own_world.valkey
    assert isinstance(valkey, Valkey)

    async def pause(s1: Node) -> None:
        valkey.pause()
        if looks == 3:
            await until(own_world.reactor, lambda: not own_world.clients[s1].connected)

    async def resume(s1: Node) -> None:
        valkey.resume()

    own_world.run(lambda world: all_arrive_once_in_order(world, {20: pause, 40: resume}))


def test_an_announcement_that_comes_late_is_known_and_one_that_comes_early_is_not_forgotten(world: RedisWorld) -> None:
    """Announcements and replies come over different connections."""

    async def scenario(_: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("opens the link"))
        await world.until_empty(MONTAGUE, CAPULET)
        link = s2.router._inbound._links[MONTAGUE]
        assert not link._is_reading
        link._on_announced(b"0-1 1-1 old")
        assert not link._is_reading
        link.ring()
        assert link._is_reading
        link._on_announced(b"0-1 %d-0 written after we read" % (2**50,))
        link._on_entries(None, b">", 8)
        assert link._is_reading

    world.run(scenario)
