"""Bidirectional streams between servers (XEP-0288): who may write what, and that nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError

from cluster.base.settled import Settled
from cluster.router.s2s.ports import Address
from cluster.router.s2s.router import S2sRouter
from tests.harness import ReactorThread
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, Node, chat, text_of
from tests.unit.router.s2s_both_ways import AT_MONTAGUE, BIDI, ENABLE, OFFER, answer, play
from tests.unit.router.s2s_peers import AT_CAPULET, streams_to, texts
from tests.unit.router.s2s_sockets import AUTH, OF_MONTAGUE, Server
from tests.unit.xmpp.server_streams import HEADER


@pytest.mark.parametrize("both_ways", [True, False])
def test_stanzas_of_both_sides_share_a_stream_where_one_asks_for_it(both_ways: bool) -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        for number in range(20):
            await s1.sent(chat(str(number)))
            await s2.sent(answer(str(number)))
        assert texts(s1) == texts(s2) == [str(number) for number in range(20)]
        opened = [to for to, _, _ in world.wires.ends]
        verifying = 1  # capulet asks montague whether the key is its own (XEP-0220 section 2.1.2)
        assert opened.count(AT_CAPULET) == (1 if both_ways else 1 + verifying)
        assert opened.count(AT_MONTAGUE) == (verifying if both_ways else 1 + verifying)

    play(scenario, both_ways=both_ways)


def test_a_peer_that_is_not_reached_gets_what_waits_over_its_own_stream() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        dial, verifies = world.wires.dial, [0]

        def behind_a_router(address: object, protocol: Any) -> Any:
            if address == AT_MONTAGUE and type(protocol).__name__ != "VerifyingConnection":
                verifies[0] += 1
                raise ConnectionRefusedError
            return dial(address, protocol)

        for pair in (s1, s2):
            object.__setattr__(pair.router._ports, "dial", behind_a_router)
        settled = s2.send(answer("waits"))
        await world.until(lambda: verifies[0] > 2)
        assert settled is not None
        assert not settled.called
        await s1.sent(chat("hello"))
        await world.until(lambda: settled.called)
        assert (texts(s1), texts(s2)) == (["waits"], ["hello"])

    play(scenario)


def test_a_peer_that_connects_is_not_kept_waiting_for_a_connection_that_it_does_not_answer() -> None:
    """A firewall that drops what comes from outside: each address takes CONNECT_S, and senders wait for QUEUE_S."""

    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        dial, cancelled = world.wires.dial, []

        def behind_a_firewall(address: object, protocol: Any) -> Any:
            if address == AT_MONTAGUE and type(protocol).__name__ != "VerifyingConnection":
                return Deferred(cancelled.append)
            return dial(address, protocol)

        assert isinstance(s2.router, S2sRouter)
        object.__setattr__(s2.router._ports, "dial", behind_a_firewall)
        s2.send(answer("waits"))
        await world.turn()
        await s1.sent(chat("hello"))
        await world.until(lambda: s1.delivered)
        assert world.clock.seconds() < 2
        assert len(cancelled) == 1
        await s2.sent(answer("and goes on"))
        [pair] = s2.router._pairs.values()
        assert not pair.is_busy
        assert not pair._is_connecting
        assert (texts(s1), s2.bounced) == (["waits", "and goes on"], [])
        [there] = streams_to(world, AT_CAPULET)
        there.break_off()
        for _ in range(3):  # it dials again when there is something to send
            await world.turn()
        s2.send(answer("waits again"))
        await world.turn()
        await s1.sent(chat("hello again"))
        await world.until(lambda: len(s1.delivered) == 3)

    play(scenario)


@pytest.mark.parametrize("seed", range(30))
def test_nothing_is_lost_either_way_whatever_breaks(seed: int) -> None:
    random = Random(seed)

    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        sent: list[str] = []
        settled: list[Settled] = []
        for _ in range(60):
            for _ in range(random.randrange(4)):
                sent.append(str(len(sent)))
                settled += [s1.send(chat(sent[-1])), s2.send(answer(sent[-1]))]
            up = [here for _, here, _ in world.wires.ends if not here.is_over]
            if up and random.random() < 0.3:
                random.choice(up).break_off()
            world.clock.advance(random.choice([0, 0.01, 0.1, 0.3]))
            await world.turn()
        await world.until_empty(MONTAGUE, CAPULET)
        await world.until_empty(CAPULET, MONTAGUE)
        for node in (s1, s2):
            assert node.bounced == []
            assert set(texts(node)) == set(sent)
            first = list(dict.fromkeys(texts(node)))
            assert first == sent, "in their order; what may have been lost comes again"
        assert all(each is None or each.called for each in settled)

    play(scenario)


class Mortals:
    """Both servers, which send, are killed and start again."""

    def __init__(self, world: S2sWorld) -> None:
        self.up: dict[str, Node] = {}
        self.safe: list[str] = []
        """What a server had sent and settled when it was killed, or had sent if it was not."""
        self._world = world
        self._all: list[Node] = []
        self._sent: dict[str, tuple[Node, Settled]] = {}

    async def start(self, domain: str) -> None:
        if domain not in self.up:
            self.up[domain] = await self._world.start(domain)
            self._all.append(self.up[domain])

    async def kill(self, domain: str) -> None:
        killed = self.up.pop(domain)
        self.safe += [text for text, (by, settled) in self._sent.items() if by is killed and settled and settled.called]
        await self._world.crash(killed)

    def send(self) -> None:
        for domain, node in self.up.items():
            text = str(len(self._sent))
            self._sent[text] = node, node.send(chat(text) if domain == MONTAGUE else answer(text))

    def lost(self) -> list[str]:
        arrived = {text for node in self._all for text in texts(node)}
        safe = [*self.safe, *(text for text, (by, _) in self._sent.items() if by in self.up.values())]
        return [text for text in safe if text not in arrived]


@pytest.mark.parametrize("seed", range(30))
def test_only_what_a_killed_server_had_not_settled_is_lost(seed: int) -> None:
    random = Random(seed)

    async def scenario(world: S2sWorld) -> None:
        servers = Mortals(world)
        for _ in range(80):
            ends = [here for _, here, _ in world.wires.ends if not here.is_over]
            domain, chance = random.choice([MONTAGUE, CAPULET]), random.random()
            if ends and chance < 0.15:
                random.choice(ends).break_off()
            elif chance < 0.25 and domain in servers.up:
                await servers.kill(domain)
            elif chance > 0.5:
                await servers.start(domain)
            servers.send()
            world.clock.advance(random.choice([0, 0.01, 0.1, 0.3]))
            await world.turn()
        for domain in (MONTAGUE, CAPULET):
            await servers.start(domain)
        for _ in range(120):
            world.clock.advance(0.5)
        assert servers.lost() == []
        for node in servers.up.values():
            assert node.bounced == []
            assert isinstance(node.router, S2sRouter)
            assert node.router._held.size_bytes == 0

    play(scenario)


@pytest.fixture
def capulet(reactor_thread: ReactorThread) -> Iterator[Server]:
    server = Server(reactor_thread, "required", bidirectional=(MONTAGUE,))
    yield server
    server.stop()


def test_external_counts_for_both_ways(capulet: Server, tmp_path: Path) -> None:
    """XEP-0288 section 3, the first example."""
    stranger = capulet.stranger()
    assert "features:bidi" not in stranger.say(HEADER, "</stream:features>"), "TLS comes first"
    stranger = capulet.stranger()
    assert OFFER in stranger.secure(OF_MONTAGUE, tmp_path)
    stranger.say(BIDI + AUTH, "<success")
    assert "features:bidi" not in stranger.say(HEADER, "</stream:features>")
    stranger.say(ENABLE, "<enabled")
    capulet.send("hello")
    assert "<body>hello</body>" in stranger.read("</message>")


def test_it_is_refused_in_clear_where_tls_is_required(capulet: Server) -> None:
    stranger = capulet.stranger()
    stranger.say(HEADER, "</stream:features>")
    assert "<policy-violation" in stranger.say(BIDI, "</stream:stream>")


def test_our_servers_speak_both_ways_with_certificates(capulet: Server, reactor_thread: ReactorThread) -> None:
    montague = Server(reactor_thread, "required", MONTAGUE)
    capulet.addresses[MONTAGUE] = (Address("127.0.0.1", montague.port),)
    try:
        capulet.send("hello")
        capulet.wait(lambda: montague.node.delivered)
        montague.send("there")
        capulet.wait(lambda: capulet.node.delivered)
        assert [text_of(stanza) for stanza in capulet.node.delivered] == ["there"]
        assert montague.addresses == {}, "it would have found no other way"
    finally:
        montague.stop()


def test_a_stream_that_is_over_is_forgotten() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("1"))
        await s2.sent(answer("1"))
        for _, here, _ in world.wires.ends:
            here.break_off()
        await world.turn()
        await world.until(lambda: not s2.router._incoming.both_ways)
        assert streams_to(world, AT_CAPULET) == []

    play(scenario)
