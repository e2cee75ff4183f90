"""The streams that other servers and strangers open: their number, time and memory are bounded."""

from __future__ import annotations

import re

import pytest
from twisted.internet.defer import Deferred

from cluster.base.turn import SOON_S
from cluster.router.s2s import incoming, resumable
from cluster.router.s2s.ports import NEGOTIATION_S, Address
from cluster.router.s2s.router import S2sRouter
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.servers.dialback import Pair
from tests.ports.s2s_world import DOMAINS, S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, chat, text_of
from tests.unit.router.s2s_peers import (
    AT_CAPULET,
    ENABLE,
    OLD,
    Peer,
    Peers,
    known,
    play,
)
from tests.unit.xmpp.server_streams import HEADER


def test_half_open_streams_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MAX_HALF_OPEN", 20)

    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        strangers = [Peer() for _ in range(100)]
        for stranger in strangers:
            world.wires.dial(AT_CAPULET, stranger)
            stranger.say(HEADER)
        s1.send(chat("0"))
        await world.until(lambda: s2.delivered)
        await world.until(lambda: sum(not stranger.is_over for stranger in strangers) <= 20)
        assert "<resource-constraint" in strangers[0].got
        await world.until(lambda: all(stranger.is_over for stranger in strangers))
        assert world.clock.seconds() < NEGOTIATION_S + 10
        assert "<connection-timeout" in strangers[-1].got
        s1.send(chat("1"))
        await world.until(lambda: len(s2.delivered) == 2)

    play(scenario)


def test_streams_that_were_left_are_bounded_however_many_are_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable, "MAX_LEFT", 3)

    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        s2 = await world.start(CAPULET)
        stays = await known(world, ENABLE)
        await world.until(lambda: "<enabled" in stays.got)
        for _ in range(10):
            leaves = await known(world, ENABLE)
            await world.until(lambda peer=leaves: "<enabled" in peer.got)
            leaves.transport.abortConnection()
            await world.turn()
        await world.until(lambda: len(s2.router._incoming.resumable.by_id) == 1 + 3)
        assert not stays.is_over

    play(scenario)


def test_a_stream_that_ended_in_good_order_leaves_no_count() -> None:
    """Its last stanza becomes safe after the end, when the stream can no longer be resumed."""

    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        s2 = await world.start(CAPULET)
        safe: Deferred[None] = Deferred()
        s2.settled_by = lambda stanza: safe
        peer = await known(world, ENABLE)
        await world.until(lambda: "<enabled" in peer.got)
        peer.say("<message from='romeo@montague.lit' to='juliet@capulet.lit'/></stream:stream>")
        await world.until(lambda: peer.is_over)
        safe.callback(None)
        world.clock.advance(2 * SOON_S)
        assert len(s2.delivered) == 1
        assert world.counts[CAPULET]._counts == {}

    play(scenario)


def test_connections_that_break_while_a_fault_closes_their_link_are_forgotten() -> None:
    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        s2 = await world.start(CAPULET)
        await world.set_faults(MONTAGUE, CAPULET, down="always")
        for _ in range(5):
            peer = await known(world, "<message from='romeo@montague.lit' to='juliet@capulet.lit'/>")
            link = s2.router._incoming.link(MONTAGUE)
            await world.until(lambda link=link: link._paused)
            peer.transport.abortConnection()
            await world.until(lambda: MONTAGUE not in {each._stream.peer for each in s2.router._incoming.streams})
            assert not link._paused
        await world.set_faults(MONTAGUE, CAPULET)
        await world.until(lambda: len(s2.delivered) == 5)

    play(scenario)


def test_a_peer_that_leaves_while_its_stream_is_looked_up_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        s2 = await world.start(CAPULET)
        looked_up: Deferred[int] = Deferred()
        asked: list[str] = []

        async def find(id: str, pair: Pair) -> int:
            asked.append(id)
            return await looked_up

        monkeypatch.setattr(world.counts[CAPULET], "find", find)
        peer = await known(world, "<resume xmlns='urn:xmpp:sm:3' previd='previous' h='0'/>")
        await world.until(lambda: asked)
        peer.transport.abortConnection()
        await world.until(lambda: not s2.router._incoming.streams)
        looked_up.callback(7)
        assert s2.router._incoming.resumable.by_id == {}

    play(scenario)


def test_a_stream_that_is_resumed_over_two_connections_at_once_goes_on_over_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        s2 = await world.start(CAPULET)
        looked_up: list[Deferred[int]] = []

        async def find(id: str, pair: Pair) -> int:
            looked_up.append(Deferred())
            return await looked_up[-1]

        monkeypatch.setattr(world.counts[CAPULET], "find", find)
        peers = [await known(world, "<resume xmlns='urn:xmpp:sm:3' previd='previous' h='0'/>") for _ in range(2)]
        await world.until(lambda: len(looked_up) == 2)
        for each in looked_up:
            each.callback(7)
        await world.until(lambda: "<resumed" in peers[1].got)
        await world.until(lambda: peers[0].is_over)
        assert "<conflict" in peers[0].got
        assert [*s2.router._incoming.resumable.by_id] == ["previous"]
        assert not peers[1].is_over

    play(scenario)


def test_a_peer_that_says_a_byte_each_second_is_given_up() -> None:
    async def scenario(world: S2sWorld) -> None:
        await world.start(CAPULET)
        slow = Peer()
        world.wires.dial(AT_CAPULET, slow)
        text = HEADER
        while not slow.is_over and text:
            slow.say(text[0])
            text = text[1:]
            world.clock.advance(1)
        assert "<connection-timeout" in slow.got
        assert world.clock.seconds() < NEGOTIATION_S + 10

    play(scenario)


def test_a_forged_key_is_checked_with_the_domain_that_it_claims() -> None:
    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        s2 = await world.start(CAPULET)
        mallory = Peer()
        world.wires.dial(AT_CAPULET, mallory)
        mallory.say(f"{HEADER}<db:result from='{MONTAGUE}' to='{CAPULET}'>forged</db:result>")
        await world.until(lambda: mallory.is_over)
        assert "type='invalid'/></stream:stream>" in mallory.got
        late = Peer()
        world.wires.dial(AT_CAPULET, late)
        late.say(f"{HEADER}<db:result from='elsinore.lit' to='{CAPULET}'>k</db:result>")
        await world.until(lambda: "<db:result" in late.got)
        assert "<remote-server-not-found" in late.got
        late.say("<message from='romeo@montague.lit' to='juliet@capulet.lit'/>")
        await world.until(lambda: late.is_over)
        assert "<not-authorized" in late.got
        assert s2.delivered == []

    play(scenario)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("<db:verify from='{MONTAGUE}' to='{CAPULET}' id='{id}' type='error'><error type='cancel'>"
         "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:verify>",
         "remote-server-not-found"),
        ("<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
         "remote-server-not-found"),
        ("</stream:stream>", "remote-server-timeout"),
        ("<db:verify from='{MONTAGUE}' to='{CAPULET}' id='another' type='valid'/>", "remote-server-timeout"),
        ("<db:verify from='denmark.lit' to='{CAPULET}' id='{id}' type='valid'/>", "remote-server-timeout"),
        ("<db:result from='{MONTAGUE}' to='{CAPULET}' type='valid'/>", "remote-server-timeout"),
    ],
    ids=["error", "host-unknown", "end", "another stream's id", "another pair's", "an answer to what was not asked"],
)  # fmt: skip
def test_what_the_authoritative_server_does_not_confirm_is_told(said: str, told: str) -> None:
    """XEP-0220 sections 2.4 and 2.5."""

    async def scenario(world: S2sWorld) -> None:
        s2, peers = await world.start(CAPULET), Peers()
        world.wires.listen(Address(MONTAGUE, 5269), peers)
        mallory = Peer()
        world.wires.dial(AT_CAPULET, mallory)
        mallory.say(f"{HEADER}<db:result from='{MONTAGUE}' to='{CAPULET}'>key</db:result>")
        await world.until(lambda: peers.all and peers.all[0].got)
        peers.all[0].say(OLD.replace(f"from='{CAPULET}' to='{MONTAGUE}'", f"from='{MONTAGUE}' to='{CAPULET}'"))
        await world.until(lambda: "<db:verify" in peers.all[0].got)
        [id] = re.findall('<db:verify .*? id="(.*?)"', peers.all[0].got)
        peers.all[0].say(said.format(MONTAGUE=MONTAGUE, CAPULET=CAPULET, id=id))
        await world.until(lambda: "<db:result" in mallory.got)
        assert f"<{told}" in mallory.got
        mallory.say("<message from='romeo@montague.lit' to='juliet@capulet.lit'/>")
        await world.until(lambda: mallory.is_over)
        assert s2.delivered == []

    play(scenario)


def test_links_of_ever_more_domains_are_forgotten_unless_something_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name below a stranger's domain is a domain that proves its identity."""
    monkeypatch.setattr(incoming, "MAX_LINKS", 2)

    async def scenario(world: S2sWorld) -> None:
        nodes = {domain: await world.start(domain) for domain in DOMAINS}
        s2 = nodes[CAPULET]
        assert isinstance(s2.router, S2sRouter)
        held: list[Deferred[None]] = []

        def settled_by(stanza: Stanza) -> Deferred[None] | None:
            if text_of(stanza) != "held":
                return None
            held.append(Deferred())
            return held[-1]

        s2.settled_by = settled_by
        settled = nodes[MONTAGUE].send(chat("held"))
        await world.until(lambda: s2.delivered)
        others = [domain for domain in DOMAINS if domain not in (MONTAGUE, CAPULET)]
        for number in range(6):
            domain = others[number % 2]
            await nodes[domain].sent(chat(str(number), f"x@{domain}", "juliet@capulet.lit"))
            streams = s2.router._streams
            assert MONTAGUE in streams._links, "something that came is not safe"
            assert set(s2.router._ports.faults._links) == set(streams._links)
            assert len(streams._links) <= 2
        held[0].callback(None)
        await world.until(lambda: settled is not None and settled.called)
        assert [text_of(stanza) for stanza in s2.delivered] == ["held", *map(str, range(6))]

    play(scenario)
