"""Streams between servers that break and are resumed (XEP-0198 section 5): nothing is lost or comes twice."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost

from cluster.router.s2s.pair import QUEUE_S
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, chat, text_of
from tests.unit.router.s2s_peers import (
    AT_CAPULET,
    Peers,
    manage,
    play,
    streams_to,
    texts,
)


def test_a_stream_that_breaks_is_resumed_and_nothing_comes_twice_or_is_lost() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        sent = [str(number) for number in range(300)]
        for number in sent:
            s1.send(chat(number))
            if int(number) % 3 == 0:
                await world.turn()
            if int(number) % 50 == 49:
                for end in streams_to(world, AT_CAPULET):
                    end.break_off()
        await world.until(lambda: len(s2.delivered) >= 300)
        await world.until_empty(MONTAGUE, CAPULET)
        assert texts(s2) == sent
        assert len(set(s2.places)) == 300
        assert s1.bounced == []

    play(scenario)


def test_what_is_on_its_way_to_safety_when_a_stream_breaks_is_not_taken_twice() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        later: list[Deferred[None]] = []

        def settle_later(stanza: object) -> Deferred[None]:
            later.append(Deferred())
            return later[-1]

        s2.settled_by = settle_later
        settled = [s1.send(chat("0")), s1.send(chat("1"))]
        await world.until(lambda: len(s2.delivered) == 2)
        streams_to(world, AT_CAPULET)[0].break_off()
        s1.send(chat("2"))
        await world.until(lambda: len(s2.delivered) == 3)
        assert texts(s2) == ["0", "1", "2"]
        assert settled[0] is not None
        assert not settled[0].called
        for each in later:
            each.callback(None)
        await world.until_empty(MONTAGUE, CAPULET)
        assert settled[0].called

    play(scenario)


def test_what_became_safe_while_there_was_no_stream_is_told_over_the_next_one() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        safe: Deferred[None] = Deferred()
        s2.settled_by = lambda stanza: safe
        settled = s1.send(chat("0"))
        await world.until(lambda: s2.delivered)
        [stream] = streams_to(world, AT_CAPULET)
        stream.break_off()
        await world.until(lambda: stream.other.is_over)
        safe.callback(None)
        assert settled is not None
        await world.until(lambda: settled.called)
        await world.until_empty(MONTAGUE, CAPULET)
        assert texts(s2) == ["0"]

    play(scenario)


def test_after_a_crash_of_the_receiver_what_was_not_safe_comes_again_at_the_same_place() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s2.settled_by = lambda stanza: Deferred() if text_of(stanza) in ("1", "2") else None
        for number in range(4):
            s1.send(chat(str(number)))  # so each is an entry of its own
            await world.until(lambda: texts(s2)[-1:] == [str(number)])  # noqa: B023
        await world.until_settled(MONTAGUE, CAPULET, left=3)
        await world.crash(s2)
        s1.send(chat("4"))
        again = await world.start(CAPULET)
        await world.until(lambda: len(again.delivered) == 4)
        assert texts(again) == ["1", "2", "3", "4"]
        assert again.places[:3] == s2.places[1:]
        await world.until_empty(MONTAGUE, CAPULET)
        assert len([to for to, _, _ in world.wires.ends if to == AT_CAPULET]) == 2  # one before, one after

    play(scenario)


def test_where_nothing_is_known_of_the_former_stream_what_was_not_acknowledged_is_sent_again() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s2.settled_by = lambda stanza: Deferred()
        for number in range(3):
            s1.send(chat(str(number)))
        await world.until(lambda: len(s2.delivered) == 3)
        await world.crash(s2)
        world.counts[CAPULET]._counts.clear()
        s1.send(chat("3"))
        again = await world.start(CAPULET)
        await world.until(lambda: len(again.delivered) == 4)
        assert texts(again) == ["0", "1", "2", "3"]

    play(scenario)


def test_a_storage_that_is_away_ends_the_stream_and_gets_the_stanzas_again() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        refused: list[str] = []

        def once(stanza: Any) -> Deferred[None] | None:
            if text_of(stanza) == "1" and not refused:
                refused.append("1")
                settled: Deferred[None] = Deferred()
                world.clock.callLater(0.05, settled.errback, ConnectionLost())
                return settled
            return None

        s2.settled_by = once
        for number in range(3):
            s1.send(chat(str(number)))
            await world.turn()
        await world.until_empty(MONTAGUE, CAPULET)
        at_place = dict(zip(s2.places, texts(s2), strict=True))
        assert [*at_place.values()] == ["0", "1", "2"]
        assert texts(s2)[-2:] == ["1", "2"]

    play(scenario)


@pytest.mark.parametrize(
    "answer",
    [
        "<resumed xmlns='urn:xmpp:sm:3' previd='previous' h='0'/>",
        "<resumed xmlns='urn:xmpp:sm:3' previd='previous' h='1'/>",
        "<failed xmlns='urn:xmpp:sm:3' h='1'/>",
    ],
)
def test_what_was_bounced_while_a_stream_was_being_resumed_is_not_sent_again(answer: str) -> None:
    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        peers = Peers()
        world.wires.listen(AT_CAPULET, peers)
        s1.send(chat("0"))
        await world.until(lambda: peers.all)
        await manage(world, peers.all[0], "<enable")
        peers.all[0].say("<enabled xmlns='urn:xmpp:sm:3' id='previous' resume='true'/>")
        await world.until(lambda: "<body>0</body>" in peers.all[0].got)
        first = world.clock.seconds()
        world.wires.listen(AT_CAPULET, None)
        peers.all[0].transport.abortConnection()
        world.clock.advance(0)
        while world.clock.seconds() - first < QUEUE_S - 10:
            world.clock.advance(1)
        world.wires.listen(AT_CAPULET, peers)
        await world.until(lambda: len(peers.all) == 2)
        await manage(world, peers.all[1], "<resume")
        await world.until(lambda: s1.bounced)
        settled = s1.send(chat("1"))
        peers.all[1].say(answer)
        await world.until(lambda: len(peers.all) == 3 or "<enable" in peers.all[1].got)
        latest = peers.all[-1]
        if latest is not peers.all[1]:
            await manage(world, latest, "<enable")
        latest.say("<enabled xmlns='urn:xmpp:sm:3'/>")
        await world.until(lambda: "<body>1</body>" in latest.got)
        latest.say("<a xmlns='urn:xmpp:sm:3' h='1'/>")
        await world.until(lambda: settled is not None and settled.called)
        assert not any("<body>0</body>" in peer.got or "<stream:error" in peer.got for peer in peers.all[1:])
        assert len(s1.bounced) == 1

    play(scenario)


@pytest.mark.parametrize(
    "answer",
    [
        "<resumed xmlns='urn:xmpp:sm:3' previd='previous' h='7'/>",
        "<resumed xmlns='urn:xmpp:sm:3' previd='previous'/>",
        "<failed xmlns='urn:xmpp:sm:3' h='7'/>",
    ],
)
def test_a_former_stream_whose_counts_make_no_sense_is_not_tried_again(answer: str) -> None:
    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        peers = Peers()
        world.wires.listen(AT_CAPULET, peers)
        settled = s1.send(chat("0"))
        await world.until(lambda: peers.all)
        await manage(world, peers.all[0], "<enable")
        peers.all[0].say("<enabled xmlns='urn:xmpp:sm:3' id='previous' resume='true'/>")
        await world.until(lambda: "<body>0</body>" in peers.all[0].got)
        peers.all[0].transport.abortConnection()
        await world.until(lambda: len(peers.all) == 2)
        await manage(world, peers.all[1], "<resume")
        peers.all[1].say(answer)
        await world.until(lambda: len(peers.all) == 3)
        assert "<stream:error" in peers.all[1].got
        await manage(world, peers.all[2], "<enable")
        peers.all[2].say("<enabled xmlns='urn:xmpp:sm:3'/>")
        await world.until(lambda: "<body>0</body>" in peers.all[2].got)
        peers.all[2].say("<a xmlns='urn:xmpp:sm:3' h='1'/>")
        await world.until(lambda: settled is not None and settled.called)
        assert s1.bounced == []

    play(scenario)


@pytest.mark.parametrize("is_late", [False, True])
def test_what_is_said_of_a_former_stream_counts_though_the_next_one_does_not_open(is_late: bool) -> None:
    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        peers = Peers()
        world.wires.listen(AT_CAPULET, peers)
        s1.send(chat("0"))
        settled = s1.send(chat("1"))
        await world.until(lambda: peers.all)
        await manage(world, peers.all[0], "<enable")
        peers.all[0].say("<enabled xmlns='urn:xmpp:sm:3' id='previous' resume='true'/>")
        await world.until(lambda: "<body>1</body>" in peers.all[0].got)
        if is_late:
            world.wires.listen(AT_CAPULET, None)
            world.clock.advance(0)
        peers.all[0].transport.abortConnection()
        for _ in range(int(QUEUE_S) - 10 if is_late else 0):
            world.clock.advance(1)
        world.wires.listen(AT_CAPULET, peers)
        await world.until(lambda: len(peers.all) == 2)
        await manage(world, peers.all[1], "<resume")
        peers.all[1].say("<failed xmlns='urn:xmpp:sm:3' h='1'/>")
        await world.until(lambda: "<enable" in peers.all[1].got)
        if is_late:
            world.clock.advance(12)
            settled = s1.send(chat("2"))
            latest = peers.all[1]
        else:
            peers.all[1].transport.abortConnection()
            await world.until(lambda: len(peers.all) == 3)
            latest = peers.all[2]
            await manage(world, latest, "<resume")
            latest.say("<failed xmlns='urn:xmpp:sm:3'/>")
            await world.until(lambda: "<enable " in latest.got)
        latest.say("<enabled xmlns='urn:xmpp:sm:3'/>")
        await world.until(lambda: "<message" in latest.got)
        assert "<body>0</body>" not in latest.got
        latest.say(f"<a xmlns='urn:xmpp:sm:3' h='{2 if is_late else 1}'/>")
        await world.until(lambda: settled is not None and settled.called)
        assert s1.bounced == []

    play(scenario)
