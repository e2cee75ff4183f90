"""Links over XML streams between servers, on connections in memory: when what was sent has settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from cluster.router.s2s import incoming_link
from cluster.router.s2s.pair import QUEUE_S
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, Node, chat, text_of
from tests.unit.router.s2s_peers import (
    AT_CAPULET,
    OLD,
    Peers,
    manage,
    play,
    streams_to,
    texts,
)


def test_what_is_safe_with_the_other_side_has_settled_soon() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        for number in range(100):
            await s1.sent(chat(str(number)))
        assert texts(s2) == [str(number) for number in range(100)]
        assert world.clock.seconds() < 100 * 0.1
        one, other = s1.send(chat("x")), s2.send(chat("y", "juliet@capulet.lit/balcony", "romeo@montague.lit"))
        assert one is not None
        assert other is not None
        await one
        await other

    play(scenario)


@pytest.mark.parametrize(("at_once", "within_s"), [(True, 1), (False, incoming_link.SETTLE_S + 1)])
def test_servers_that_answer_each_other_do_not_wait_for_each_other(at_once: bool, within_s: float) -> None:
    """Each server acknowledges the other's answer only after the probe that it has answered itself."""

    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        romeo, juliet = "romeo@montague.lit/pda", "juliet@capulet.lit/balcony"

        def answer(by: Node, from_: str, to: str) -> Callable[[Any], Deferred[Any] | None]:
            def settled_by(stanza: Any) -> Deferred[Any] | None:
                if text_of(stanza) != "probe":
                    return None
                if at_once:
                    return by.send(chat("answer", from_, to))
                return deferLater(world.clock, 0, by.send, chat("answer", from_, to))

            return settled_by

        s1.settled_by, s2.settled_by = answer(s1, romeo, juliet), answer(s2, juliet, romeo)
        s1.send(chat("probe", romeo, juliet))
        s2.send(chat("probe", juliet, romeo))
        await world.until(lambda: len(s1.delivered) == len(s2.delivered) == 2)
        await world.until_empty(MONTAGUE, CAPULET)
        await world.until_empty(CAPULET, MONTAGUE)
        assert world.clock.seconds() < within_s

    play(scenario)


def test_who_sends_presence_waits_for_nobody() -> None:
    """Two servers that handle each other's presence would wait for each other: a roster change took 30 s."""

    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        await world.start(CAPULET)
        romeo, juliet = Jid.parse("romeo@montague.lit"), Jid.parse("juliet@capulet.lit")
        assert s1.send(make("presence", to=juliet, from_=romeo, type="unsubscribed")) is None
        assert s1.send(make("iq", to=juliet, from_=romeo, id="1", type="result")) is None
        assert s1.send(chat("x")) is not None

    play(scenario)


def test_who_writes_to_a_server_that_acknowledges_nothing_does_not_wait_for_ever() -> None:
    """The server is alive and may have the stanzas: they are not bounced, and their senders go on."""

    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        peers = Peers()
        world.wires.listen(AT_CAPULET, peers)
        before, settled = s1.send(chat("0")), s1.send(chat("1"))
        assert before is not None
        assert settled is not None
        await world.until(lambda: peers.all)
        [peer] = peers.all
        await manage(world, peer, "<enable")
        peer.say("<enabled xmlns='urn:xmpp:sm:3'/>")
        for _ in range(int(QUEUE_S) + 20):
            peer.say(" ")
            world.clock.advance(1)
        assert before.called
        assert settled.called
        assert s1.send(chat("2")) is None
        await world.until(lambda: "<body>2</body>" in peer.got)
        peer.say("<a xmlns='urn:xmpp:sm:3' h='3'/>")
        await world.until_empty(MONTAGUE, CAPULET)
        waits = s1.send(chat("3"))
        assert waits is not None
        await world.until(lambda: "<body>3</body>" in peer.got)
        assert not waits.called
        assert s1.bounced == []
        assert peers.all == [peer]

    play(scenario)


def test_without_acknowledgements_what_was_written_has_settled() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        peers = Peers()
        world.wires.listen(AT_CAPULET, peers)
        settled = s1.send(chat("0"))
        await world.until(lambda: peers.all and peers.all[0].got)
        peers.all[0].say(OLD)
        await world.until(lambda: "<db:result" in peers.all[0].got)
        assert settled is not None
        assert not settled.called
        peers.all[0].say(f"<db:result from='{CAPULET}' to='{MONTAGUE}' type='valid'/>")
        await world.until(lambda: settled.called)
        assert "<body>0</body>" in peers.all[0].got

    play(scenario)


def test_whoever_stops_waits_until_what_came_is_safe_and_counted() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        stored: Deferred[None] = Deferred()
        s2.settled_by = lambda stanza: stored
        for text in "012":
            s1.send(chat(text))
        await world.until(lambda: len(s2.delivered) == 3)
        stopped = Deferred.fromCoroutine(s2.router.stop())
        await deferLater(world.clock, 1)
        assert not stopped.called
        stored.callback(None)
        await stopped
        await world.crash(s2)  # its process ends
        again = await world.start(CAPULET)
        s1.send(chat("3"))
        await world.until(lambda: "3" in texts(again))
        assert texts(again) == ["3"]

    play(scenario)


def test_whoever_stops_waits_for_acknowledgements() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s1.send(chat("0"))
        await world.until(lambda: s2.delivered)
        settled = s1.send(chat("1"))
        await s1.router.stop()
        assert texts(s2) == ["0", "1"]
        assert settled is not None
        assert settled.called
        await world.until(lambda: not streams_to(world, AT_CAPULET))

    play(scenario)
