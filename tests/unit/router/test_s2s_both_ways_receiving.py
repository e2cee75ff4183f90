"""Bidirectional streams between servers (XEP-0288): the receiving side and its peers."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from cluster.router.s2s.router import LOOK_AGAIN_S, S2sRouter
from cluster.xmpp.errors import Condition
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, SHAKESPEARE, chat
from tests.unit.router.s2s_both_ways import BIDI, ENABLE, JULIET, OFFER, ROMEO, answer, known, message, play
from tests.unit.router.s2s_peers import AT_CAPULET, Peer, streams_to, texts
from tests.unit.xmpp.server_streams import HEADER


def test_nothing_is_said_before_the_peer_is_known() -> None:
    """XEP-0288 section 2.2."""

    async def scenario(world: S2sWorld) -> None:
        s2 = await world.start(CAPULET)
        s2.send(answer("secret"))
        peer = Peer()
        world.wires.dial(AT_CAPULET, peer)
        peer.say(HEADER + BIDI)
        for _ in range(10):
            await world.turn()
            world.clock.advance(0.1)
        assert OFFER in peer.got
        assert "secret" not in peer.got
        peer.say(f"<db:result from='{MONTAGUE}' to='{CAPULET}'>forged</db:result>")
        await world.until(lambda: peer.is_over or "db:result" in peer.got)
        assert "secret" not in peer.got

    play(scenario)


def test_only_the_reverse_of_an_authenticated_pair_is_written_there() -> None:
    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        s2 = await world.start(CAPULET)
        peer = await known(world)
        peer.say(ENABLE)
        await world.until(lambda: "<enabled" in peer.got)
        s2.send(answer("for romeo"))
        s2.send(chat("for hamlet", JULIET, "hamlet@denmark.lit"))
        await world.until(lambda: "for romeo" in peer.got)
        assert "for hamlet" not in peer.got

    play(scenario)


def test_a_peer_without_acknowledgements_gets_what_waits_a_second_later() -> None:
    """Until then it may enable them, and nothing is written that would not be counted."""

    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        peer = await known(world)
        began_s = world.clock.seconds()
        s2.send(answer("hi"))
        await world.until(lambda: "<body>hi</body>" in peer.got)
        assert world.clock.seconds() - began_s >= 0.9
        assert s1.delivered == []

    play(scenario)


def test_a_stream_that_ends_before_it_is_written_to_keeps_nobody_waiting() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        peer = await known(world)
        s2.send(answer("hi"))
        await world.turn()
        peer.say("</stream:stream>")
        await world.until(lambda: s1.delivered)
        assert "hi</body>" not in peer.got

    play(scenario)


def test_a_key_that_is_found_valid_when_the_peer_has_gone_opens_nothing() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        dial, verifying = world.wires.dial, []

        def later(address: object, protocol: Any) -> Any:
            if type(protocol).__name__ != "VerifyingConnection":
                return dial(address, protocol)
            verifying.append((Deferred(), address, protocol))
            return verifying[-1][0]

        assert isinstance(s2.router, S2sRouter)
        object.__setattr__(s2.router._ports, "dial", later)
        knowing = Deferred.fromCoroutine(known(world))
        await world.until(lambda: verifying)
        [here] = streams_to(world, AT_CAPULET)
        here.break_off()
        world.clock.advance(1)
        answered, address, protocol = verifying[0]
        dial(address, protocol).chainDeferred(answered)
        world.clock.advance(1)
        assert s2.router._streams.both_ways == {}
        await s2.sent(answer("hi"))
        assert texts(s1) == ["hi"]
        knowing.addErrback(lambda failure: None).cancel()

    play(scenario)


def test_who_does_not_ask_for_it_gets_no_stanzas() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        peer = await known(world, "")
        s2.send(answer("hi"))
        await world.until(lambda: s1.delivered)
        assert "hi</body>" not in peer.got

    play(scenario)


def test_it_is_asked_for_before_the_login() -> None:
    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        await world.start(CAPULET)
        peer = await known(world, "")
        peer.say(BIDI)
        await world.until(lambda: peer.is_over)
        assert "<policy-violation" in peer.got

    play(scenario)


@pytest.mark.parametrize("type", ["type='valid'", "type='invalid'"])
def test_a_dialback_answer_that_nobody_asked_for_ends_the_stream(type: str) -> None:
    """XEP-0288 section 4, XEP-0220 section 3.1."""

    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        s2 = await world.start(CAPULET)
        peer = await known(world)
        peer.say(f"<db:result from='denmark.lit' to='{CAPULET}' {type}/>")
        await world.until(lambda: peer.is_over)
        assert "<unsupported-stanza-type" in peer.got
        s2.send(chat("for hamlet", JULIET, "hamlet@denmark.lit"))
        await world.turn()
        assert "for hamlet" not in peer.got

    play(scenario)


def test_what_is_written_is_safe_when_the_peer_says_so_and_comes_again_if_it_does_not() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        peer = await known(world)
        peer.say(ENABLE)
        await world.until(lambda: "<enabled xmlns='urn:xmpp:sm:3'/>" in peer.got)  # not to be resumed
        first, second = s2.send(answer("1")), s2.send(answer("2"))
        await world.until(lambda: "<body>2</body>" in peer.got)
        assert first is second
        assert first is not None
        assert not first.called
        peer.say("<a xmlns='urn:xmpp:sm:3' h='1'/>")
        await world.turn()
        assert peer.transport is not None
        peer.transport.abortConnection()
        await world.until(lambda: first.called)
        assert texts(s1) == ["2"]  # over a stream of capulet's own

    play(scenario)


def test_a_peer_that_read_nothing_before_it_was_written_to_is_waited_for_within_bounds() -> None:
    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        s2 = await world.start(CAPULET)
        peer = await known(world)
        end: Any = peer.transport
        end.pauseProducing()
        for _ in range(60):
            peer.say(f"<db:verify from='{MONTAGUE}' to='{CAPULET}' id='{'i' * 3_000}'>key</db:verify>")
        for number in range(500):
            s2.send(answer(f"{number} {'x' * 10_000}"))
            await world.turn()
            world.clock.advance(0.01)
        assert len(end._unread) < 600_000
        end.resumeProducing()
        await world.until(lambda: "<body>499 " in peer.got)

    play(scenario)


def test_a_stream_that_the_peer_uses_makes_no_room_for_other_domains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.router.s2s.router.MAX_PAIRS", 1)

    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        await world.start(SHAKESPEARE)
        s2, peer = await world.start(CAPULET), await known(world)
        s2.send(answer("1"))
        await world.until(lambda: "<body>1</body>" in peer.got)
        s2.send(chat("2", JULIET, "will@shakespeare.lit"))
        [(_, error)] = s2.bounced
        assert error.condition is Condition.RESOURCE_CONSTRAINT
        peer.say(message(ROMEO, JULIET, "3"))
        await world.until(lambda: s2.delivered)
        assert texts(s2) == ["3"]
        assert peer.transport is not None
        peer.transport.abortConnection()
        world.clock.advance(LOOK_AGAIN_S)
        await s2.sent(chat("4", JULIET, "will@shakespeare.lit"))
        assert len(s2.bounced) == 1

    play(scenario)


def test_a_server_that_stops_sends_what_waits_before_it_ends_the_stream() -> None:
    """It accepts none any more, so no dialback key of its own would be found valid."""

    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("hello"))
        await s2.sent(answer("hello"))
        settled = [s2.send(answer(str(number))) for number in range(20)]
        began_s = world.clock.seconds()
        assert isinstance(s2.router, S2sRouter)
        await s2.router.stop()
        assert texts(s1) == ["hello", *map(str, range(20))]
        assert all(each is not None and each.called for each in settled)
        assert s2.bounced == []
        assert world.clock.seconds() - began_s < 1

    play(scenario)


def test_a_count_that_cannot_be_ends_the_stream() -> None:
    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        await world.start(CAPULET)
        peer = await known(world)
        peer.say(f"{ENABLE}<a xmlns='urn:xmpp:sm:3' h='5'/>")
        await world.until(lambda: peer.is_over)
        assert "handled-count-too-high" in peer.got

    play(scenario)


def test_it_is_not_resumed() -> None:
    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        await world.start(CAPULET)
        peer = await known(world)
        peer.say("<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>")
        await world.until(lambda: "<failed" in peer.got)
        assert not peer.is_over

    play(scenario)


def test_a_peer_that_vanishes_is_noticed() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        peer = await known(world)
        peer.say(ENABLE)
        await world.until(lambda: "<enabled" in peer.got)
        s2.send(answer("1"))
        for _ in range(40):
            world.clock.advance(1)
        assert texts(s1) == ["1"]
        assert "<connection-timeout" in peer.got

    play(scenario)
