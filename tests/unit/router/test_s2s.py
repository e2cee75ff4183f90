"""Links over XML streams between servers, on connections in memory that break when a test says so."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater

from cluster.router.s2s import incoming, incoming_link
from cluster.router.s2s.pair import QUEUE_S
from cluster.router.s2s.ports import NEGOTIATION_S, Address
from cluster.xmpp.errors import Condition
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from cluster.xmpp.streams.servers.dialback import Pair, key
from cluster.xmpp.streams.servers.dialback import request as request_of_dialback
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, Node, chat, text_of
from tests.unit.xmpp.server_streams import HEADER

Scenario = Callable[[S2sWorld], Coroutine[Deferred[Any], Any, None]]
AT_CAPULET, AT_MONTAGUE = Address(CAPULET, 5269), Address(MONTAGUE, 5269)


def play(scenario: Scenario) -> S2sWorld:
    world = S2sWorld()
    world.run(scenario)  # type: ignore[arg-type]
    return world


def texts(node: Node) -> list[str]:
    return [text_of(stanza) for stanza in node.delivered]


def streams_to(world: S2sWorld, address: Address) -> list[Any]:
    """The ends, of those that dialed, of connections that are up."""
    return [here for to, here, _ in world.wires.ends if to == address and not here.is_over]


class Peer(Protocol):
    """A server that is made of bytes."""

    def __init__(self) -> None:
        self.got = ""
        self.is_over = False

    def dataReceived(self, data: bytes) -> None:
        self.got += data.decode()

    def connectionLost(self, reason: object = None) -> None:
        self.is_over = True

    def say(self, text: str) -> None:
        assert self.transport is not None
        self.transport.write(text.encode())


class Peers:
    """Listens in the place of a domain; what comes of each connection is in `all`."""

    def __init__(self, on_connected: Callable[[Peer], None] = lambda peer: None) -> None:
        self.all: list[Peer] = []
        self._on_connected = on_connected

    def buildProtocol(self, address: object) -> Peer:
        peer = Peer()
        self.all.append(peer)
        return peer


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
    """Each acknowledges the other's answer only behind what it has itself answered."""

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
    """Two servers that handle each other's presence would wait for each other: a change of a roster took 30 s."""

    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        await world.start(CAPULET)
        romeo, juliet = Jid.parse("romeo@montague.lit"), Jid.parse("juliet@capulet.lit")
        assert s1.send(make("presence", to=juliet, from_=romeo, type="unsubscribed")) is None
        assert s1.send(make("iq", to=juliet, from_=romeo, id="1", type="result")) is None
        assert s1.send(chat("x")) is not None

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


def test_a_server_that_is_away_gets_all_when_it_is_back() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        settled = s1.send(chat("0"))
        world.clock.advance(QUEUE_S - 10)
        s2 = await world.start(CAPULET)
        await world.until(lambda: s2.delivered)
        await world.until_empty(MONTAGUE, CAPULET)
        assert settled is not None
        assert settled.called
        assert s1.bounced == []

    play(scenario)


def test_attempts_to_reach_a_server_come_later_and_later_however_much_is_sent() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        attempts: list[float] = []

        class Away:
            def buildProtocol(self, address: object) -> None:
                attempts.append(world.clock.seconds())

        world.wires.listen(AT_CAPULET, Away())
        for number in range(200):
            s1.send(chat(str(number)))
            world.clock.advance(0.05)
        pauses = [later - earlier for earlier, later in itertools.pairwise(attempts)]
        assert 3 < len(attempts) < 12
        assert pauses == sorted(pauses)
        s2 = await world.start(CAPULET)
        await world.until(lambda: len(s2.delivered) == 200)
        assert texts(s2) == [str(number) for number in range(200)]

    play(scenario)


def test_whoever_writes_to_a_server_that_stays_away_is_told() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        settled = s1.send(chat("0"))
        await world.until(lambda: s1.bounced)
        [(stanza, error)] = s1.bounced
        assert text_of(stanza) == "0"
        assert error.condition is Condition.REMOTE_SERVER_TIMEOUT
        assert "capulet.lit cannot be reached" in error.text
        assert "refused" in error.text
        assert settled is not None
        assert settled.called
        assert QUEUE_S <= world.clock.seconds() < QUEUE_S + 1

    play(scenario)


def test_nobody_is_asked_where_an_unknown_domain_is() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        await s1.sent(chat("0", to="yorick@elsinore.lit"))
        [(_, error)] = s1.bounced
        assert error.condition is Condition.REMOTE_SERVER_NOT_FOUND
        assert error.text == "there is no address of elsinore.lit"
        assert world.wires.ends == []

    play(scenario)


def test_what_waits_is_bounded() -> None:
    async def scenario(world: S2sWorld) -> None:
        world.max_backlog = 50
        s1 = await world.start(MONTAGUE)
        for number in range(60):
            s1.send(chat(str(number)))
        assert [text_of(stanza) for stanza, _ in s1.bounced] == [str(number) for number in range(50, 60)]
        assert {error.condition for _, error in s1.bounced} == {Condition.REMOTE_SERVER_TIMEOUT}
        s2 = await world.start(CAPULET)
        await world.until(lambda: len(s2.delivered) == 50)
        await world.until_empty(MONTAGUE, CAPULET)
        s1.send(chat("below again"))
        await world.until(lambda: len(s2.delivered) == 51)

    play(scenario)


def test_a_link_that_a_fault_closes_loses_nothing_and_keeps_its_stream() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await world.set_faults(MONTAGUE, CAPULET, down="always")
        for number in range(20):
            s1.send(chat(str(number)))
            await world.turn()
        await world.until(lambda: world.clock.seconds() > 2 * QUEUE_S / 3)
        world.clock.advance(QUEUE_S)
        assert s2.delivered == []
        assert s1.bounced == []
        await world.set_faults(MONTAGUE, CAPULET)
        await world.until(lambda: len(s2.delivered) == 20)
        assert texts(s2) == [str(number) for number in range(20)]
        await world.until_empty(MONTAGUE, CAPULET)

    play(scenario)


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


async def known(world: S2sWorld, request: str) -> Peer:
    """Montague's server, by its key, to which capulet's has asked back; and then it says this."""
    peer, pair = Peer(), Pair(MONTAGUE, CAPULET)
    world.wires.dial(AT_CAPULET, peer)
    peer.say(HEADER)
    await world.until(lambda: "<stream:features" in peer.got)
    [id] = re.findall(" id=[\"'](.*?)[\"']", peer.got)
    peer.say(request_of_dialback("result", pair, key(f"secret of {MONTAGUE}", pair, id)).decode())
    await world.until(lambda: "type='valid'" in peer.got)
    peer.say(request)
    return peer


ENABLE = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"


def test_streams_that_were_left_are_bounded_however_many_are_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MAX_LEFT", 3)

    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        s2 = await world.start(CAPULET)
        stays = await known(world, ENABLE)
        await world.until(lambda: "<enabled" in stays.got)
        for _ in range(10):
            leaves = await known(world, ENABLE)
            await world.until(lambda peer=leaves: "<enabled" in peer.got)  # type: ignore[misc]
            leaves.transport.abortConnection()  # type: ignore[union-attr]
            await world.turn()
        await world.until(lambda: len(s2.router._incoming.managed) == 1 + 3)
        assert not stays.is_over

    play(scenario)


def test_connections_that_break_while_a_fault_closes_their_link_are_forgotten() -> None:
    async def scenario(world: S2sWorld) -> None:
        await world.start(MONTAGUE)
        s2 = await world.start(CAPULET)
        await world.set_faults(MONTAGUE, CAPULET, down="always")
        for _ in range(5):
            peer = await known(world, "<message from='romeo@montague.lit' to='juliet@capulet.lit'/>")
            link = s2.router._incoming.link(MONTAGUE)
            await world.until(lambda link=link: link._paused)  # type: ignore[misc]
            peer.transport.abortConnection()  # type: ignore[union-attr]
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
        peer.transport.abortConnection()  # type: ignore[union-attr]
        await world.until(lambda: not s2.router._incoming.streams)
        looked_up.callback(7)
        assert s2.router._incoming.managed == {}

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


def test_a_server_that_never_answers_is_tried_again_and_again_until_senders_are_told() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        peers = Peers()
        world.wires.listen(AT_CAPULET, peers)
        s1.send(chat("0"))
        await world.until(lambda: s1.bounced)
        assert s1.bounced[0][1].condition is Condition.REMOTE_SERVER_TIMEOUT
        assert len(peers.all) == 2

    play(scenario)


OLD = (
    f"<stream:stream from='{CAPULET}' to='{MONTAGUE}' id='s1' xmlns='jabber:server' "
    "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'>"
    f"<db:result from='{CAPULET}' to='{MONTAGUE}' type='valid'/>"
)
"""A server of before XMPP 1.0, that believes everybody and does not wait for what is said."""


FEATURES = (
    "<stream:features><dialback xmlns='urn:xmpp:features:dialback'/><sm xmlns='urn:xmpp:sm:3'/></stream:features>"
)


async def manage(world: S2sWorld, peer: Peer, until: str) -> None:
    """Believe the server that dialed, as a peer with XEP-0198 does, until it asks for this."""
    await world.until(lambda: peer.got)
    peer.say(OLD.partition("<db:")[0].replace("id='s1'", "id='s1' version='1.0'") + FEATURES)
    await world.until(lambda: "<db:result" in peer.got)
    peer.say(f"<db:result from='{CAPULET}' to='{MONTAGUE}' type='valid'/>")
    await world.until(lambda: until in peer.got)


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
        peers.all[0].transport.abortConnection()  # type: ignore[union-attr]
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


def test_who_writes_to_a_server_that_acknowledges_nothing_does_not_wait_for_ever() -> None:
    """It is alive, and may have what it was sent: that does not come back, and whoever sent it goes on."""

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
        peers.all[0].transport.abortConnection()  # type: ignore[union-attr]
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
        peers.all[0].transport.abortConnection()  # type: ignore[union-attr]
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
            peers.all[1].transport.abortConnection()  # type: ignore[union-attr]
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


def test_a_server_that_ends_each_stream_gets_no_stanza_for_ever() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        peers = Peers()
        world.wires.listen(AT_CAPULET, peers)
        s1.send(chat("0"))
        while not s1.bounced:
            for peer in peers.all:
                if peer.got and not peer.is_over:
                    assert peer.transport is not None
                    peer.transport.abortConnection()
            await world.turn()
            world.clock.advance(0.05)
        assert 5 < len(peers.all) < 40

    play(scenario)


def test_without_acknowledgements_what_was_written_has_settled() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        peers = Peers()
        world.wires.listen(AT_CAPULET, peers)
        settled = s1.send(chat("0"))
        await world.until(lambda: peers.all and peers.all[0].got)
        peers.all[0].say(OLD.partition("<db:")[0])
        await world.until(lambda: "<db:result" in peers.all[0].got)
        assert settled is not None
        assert not settled.called
        peers.all[0].say(f"<db:result from='{CAPULET}' to='{MONTAGUE}' type='valid'/>")
        await world.until(lambda: settled.called)
        assert "<body>0</body>" in peers.all[0].got

    play(scenario)


@pytest.mark.parametrize(
    ("answer", "condition"),
    [
        ("type='invalid'/>", Condition.INTERNAL_SERVER_ERROR),
        ("type='error'><error><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>",
         Condition.REMOTE_SERVER_TIMEOUT),
    ],
)  # fmt: skip
def test_what_dialback_refuses_comes_back(answer: str, condition: Condition) -> None:
    """XEP-0220 section 2.1.1."""

    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        peers = Peers()
        world.wires.listen(AT_CAPULET, peers)
        s1.send(chat("0"))
        await world.until(lambda: peers.all and peers.all[0].got)
        peers.all[0].say(OLD.partition("<db:")[0])
        await world.until(lambda: "<db:result" in peers.all[0].got)
        peers.all[0].say(f"<db:result from='{CAPULET}' to='{MONTAGUE}' {answer}")
        await world.until(lambda: s1.bounced)
        assert s1.bounced[0][1].condition is condition
        assert world.clock.seconds() < 1

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


def test_a_peer_that_reads_nothing_is_waited_for_within_bounds() -> None:
    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s1.send(chat("0"))
        await world.until(lambda: s2.delivered)
        [stream] = streams_to(world, AT_CAPULET)
        stream.other.pauseProducing()
        body = "x" * 10_000
        for number in range(1, 500):
            s1.send(chat(f"{number} {body}"))
            await world.turn()
        assert len(stream.other._unread) < 600_000
        assert s1.bounced == []
        stream.other.resumeProducing()
        await world.until(lambda: len(s2.delivered) == 500)
        assert [text.partition(" ")[0] for text in texts(s2)] == [str(number) for number in range(500)]

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
