"""Bidirectional streams between servers (XEP-0288): the initiating side and its peers."""

from __future__ import annotations

import re

import pytest
from twisted.internet.defer import Deferred

from cluster.xmpp.streams.servers.dialback import Pair, key
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, Node, chat, text_of
from tests.unit.router.s2s_both_ways import BIDI, FEATURES, JULIET, OFFER, ROMEO, message, play
from tests.unit.router.s2s_peers import AT_CAPULET, OLD, Peer, Peers, texts


async def dialed(world: S2sWorld, features: str = FEATURES) -> tuple[Node, Peer]:
    """Montague has asked for it at a peer that the test plays; its dialback key is not answered yet."""
    s1, peers = await world.start(MONTAGUE), Peers()
    world.wires.listen(AT_CAPULET, peers)
    s1.send(chat("hello"))
    await world.until(lambda: peers.all and peers.all[0].got)
    peers.all[0].say(OLD.replace("id='s1'", "id='s1' version='1.0'") + features)
    await world.until(lambda: "<db:result" in peers.all[0].got)
    return s1, peers.all[0]


VALID = f"<db:result from='{CAPULET}' to='{MONTAGUE}' type='valid'/>"


def test_the_peer_may_write_as_soon_as_it_says_that_the_key_is_valid() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, peer = await dialed(world)
        assert peer.got.index(BIDI) < peer.got.index("<db:result")
        peer.say(VALID + message(JULIET, ROMEO, "first") + message(JULIET, ROMEO, "second"))
        await world.until(lambda: len(s1.delivered) == 2)
        assert texts(s1) == ["first", "second"]

    play(scenario)


@pytest.mark.parametrize(
    ("features", "both_ways"),
    [(FEATURES.replace(OFFER, ""), True), (FEATURES, False)],
    ids=["not offered", "not wanted"],
)
def test_without_it_the_peer_may_write_nothing(features: str, both_ways: bool) -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, peer = await dialed(world, features)
        assert BIDI not in peer.got
        peer.say(VALID + message(JULIET, ROMEO))
        await world.until(lambda: peer.is_over)
        assert "<not-authorized" in peer.got
        assert s1.delivered == []

    play(scenario, both_ways=both_ways)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (message(JULIET, ROMEO), "not-authorized"),
        (VALID + message("hamlet@denmark.lit", ROMEO), "invalid-from"),
        (VALID + message("juliet@rooms.capulet.lit", ROMEO), "invalid-from"),
        (VALID + message("juliet@capulet.lit.evil.lit", ROMEO), "invalid-from"),
        (VALID + message(ROMEO, ROMEO), "invalid-from"),
        (VALID + message(JULIET, "hamlet@denmark.lit"), "host-unknown"),
        (VALID + "<message><body>x</body></message>", "improper-addressing"),
    ],
    ids=[
        "before the key is valid",
        "another domain",
        "a sub-domain",
        "a look-alike",
        "of ours",
        "not for us",
        "nobody",
    ],
)
def test_the_peer_may_write_as_nobody_else(said: str, error: str) -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, peer = await dialed(world)
        peer.say(said)
        await world.until(lambda: peer.is_over)
        assert f"<{error}" in peer.got
        assert s1.delivered == []

    play(scenario)


def test_a_dialback_request_of_the_peer_gets_an_error_and_ends_nothing() -> None:
    """XEP-0288 section 2.2: whoever asks for both ways supports dialback errors."""

    async def scenario(world: S2sWorld) -> None:
        s1, peer = await dialed(world)
        peer.say(f"{VALID}<db:result from='rooms.{CAPULET}' to='{MONTAGUE}'>key</db:result>" + message(JULIET, ROMEO))
        await world.until(lambda: s1.delivered)
        [told] = re.findall(f'<db:result from="{MONTAGUE}" to="rooms.{CAPULET}" type=.error.>.*?</db:result>', peer.got)
        assert "<policy-violation" in told

    play(scenario)


@pytest.mark.parametrize(("secret", "type"), [(f"secret of {MONTAGUE}", "valid"), ("another", "invalid")])
def test_the_peer_may_ask_for_a_key_of_another_stream(secret: str, type: str) -> None:
    """XEP-0220 section 2.1.2: Prosody asks over the stream that it has, when a further node opens one of its own."""

    async def scenario(world: S2sWorld) -> None:
        s1, peer = await dialed(world)
        given = key(secret, Pair(MONTAGUE, CAPULET), "s2")
        asked = f"<db:verify from='{CAPULET}' to='{MONTAGUE}' id='s2'>{given}</db:verify>"
        peer.say(VALID + asked + message(JULIET, ROMEO))
        await world.until(lambda: s1.delivered and "<db:verify" in peer.got)
        assert re.search(f"<db:verify [^>]*id=.s2. type='{type}'/>", peer.got)

    play(scenario)


@pytest.mark.parametrize("before", ["", VALID])
def test_whoever_is_not_known_gets_no_answer_about_keys(before: str) -> None:
    async def scenario(world: S2sWorld) -> None:
        _, peer = await dialed(world, FEATURES if not before else FEATURES.replace(OFFER, ""))
        peer.say(f"{before}<db:verify from='{CAPULET}' to='{MONTAGUE}' id='s2'>key</db:verify>")
        await world.until(lambda: peer.is_over)
        assert "<db:verify" not in peer.got

    play(scenario)


def test_the_peers_stanzas_are_acknowledged_when_they_are_safe() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, peer = await dialed(world, FEATURES.replace(OFFER, f"{OFFER}<sm xmlns='urn:xmpp:sm:3'/>"))
        peer.say(VALID)
        await world.until(lambda: "<enable xmlns='urn:xmpp:sm:3'/>" in peer.got)
        safe: Deferred[None] = Deferred()
        s1.settled_by = lambda stanza: safe if text_of(stanza) == "2" else None
        peer.say("<enabled xmlns='urn:xmpp:sm:3'/>")
        peer.say(message(JULIET, ROMEO, "1"))
        await world.until(lambda: s1.delivered)
        peer.say(message(JULIET, ROMEO, "2") + "<r xmlns='urn:xmpp:sm:3'/>")
        await world.until(lambda: "h='1'" in peer.got)
        assert "h='2'" not in peer.got
        safe.callback(None)
        await world.until(lambda: "h='2'" in peer.got)

    play(scenario)


def test_a_stream_that_the_peer_says_can_be_resumed_is_not() -> None:
    """Nobody asked for that; and the id is the peer's, that of any stream into this domain."""

    async def scenario(world: S2sWorld) -> None:
        s1, peer = await dialed(world, FEATURES.replace(OFFER, f"{OFFER}<sm xmlns='urn:xmpp:sm:3'/>"))
        world.counts[MONTAGUE].note("of-another", Pair("denmark.lit", MONTAGUE), 7)
        peer.say(VALID)
        await world.until(lambda: "<enable" in peer.got)
        peer.say("<enabled xmlns='urn:xmpp:sm:3' resume='true' id='of-another'/>" + message(JULIET, ROMEO))
        await world.until(lambda: s1.delivered and "hello" in peer.got)
        world.clock.advance(1)
        assert await world.counts[MONTAGUE].find("of-another", Pair("denmark.lit", MONTAGUE)) == 7
        assert peer.transport is not None
        peer.transport.abortConnection()
        s2 = await world.start(CAPULET)
        await world.until(lambda: s2.delivered)
        assert texts(s2) == ["hello"]

    play(scenario)
