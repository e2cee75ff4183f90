"""What waits for another server: until it is there, within bounds, or until its sender is told."""

from __future__ import annotations

import itertools

import pytest

from cluster.router.s2s.pair import QUEUE_S, OutgoingPair
from cluster.router.s2s.router import S2sRouter
from cluster.xmpp.errors import Condition
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, SHAKESPEARE, chat, text_of
from tests.unit.router.s2s_peers import (
    AT_CAPULET,
    OLD,
    Peers,
    play,
    streams_to,
    texts,
)


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


def test_a_link_that_a_fault_closes_for_minutes_keeps_its_stream() -> None:
    """The receiver does not read, so it does not answer; but it is alive, and says so."""

    async def scenario(world: S2sWorld) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await s1.sent(chat("before"))
        await world.set_faults(MONTAGUE, CAPULET, down="always")
        for number in range(20):
            s1.send(chat(str(number)))
            await world.turn()
        for _ in range(200):
            world.clock.advance(1)
        assert [to for to, _, _ in world.wires.ends].count(AT_CAPULET) == 1
        await world.set_faults(MONTAGUE, CAPULET)
        await world.until(lambda: len(s2.delivered) == 21)
        assert texts(s2) == ["before", *map(str, range(20))]
        assert s1.bounced == []

    play(scenario)


def test_what_waits_for_all_domains_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.router.s2s.queue.MAX_TOTAL_BYTES", 20_000)

    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        to = ["juliet@capulet.lit", "will@shakespeare.lit"]
        for number in range(40):
            s1.send(chat(str(number), to=to[number % 2]))
        came_back = len(s1.bounced)
        assert 0 < came_back < 40
        assert {error.condition for _, error in s1.bounced} == {Condition.RESOURCE_CONSTRAINT}
        s2, s3 = await world.start(CAPULET), await world.start(SHAKESPEARE)
        await world.until(lambda: len(s2.delivered) + len(s3.delivered) == 40 - came_back)
        await world.until_empty(MONTAGUE, CAPULET)
        await world.until_empty(MONTAGUE, SHAKESPEARE)
        assert s1.router._held.size_bytes == 0
        s1.send(chat("there is room again"))
        await world.until(lambda: "there is room again" in texts(s2))

    play(scenario)


def test_streams_to_ever_more_domains_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest one over which nothing is on its way makes room."""
    monkeypatch.setattr("cluster.router.s2s.router.MAX_PAIRS", 1)

    async def scenario(world: S2sWorld) -> None:
        s1, s2, s3 = [await world.start(domain) for domain in (MONTAGUE, CAPULET, SHAKESPEARE)]
        await s1.sent(chat("1"))
        await world.until_empty(MONTAGUE, CAPULET)
        await s1.sent(chat("2", to="will@shakespeare.lit"))
        await world.until_empty(MONTAGUE, SHAKESPEARE)
        await world.until(lambda: not streams_to(world, AT_CAPULET))
        await s1.sent(chat("3"))
        assert (texts(s2), texts(s3)) == (["1", "3"], ["2"])
        await world.crash(s2)
        s1.send(chat("waits"))
        s1.send(chat("4", to="will@shakespeare.lit"))
        [(stanza, error)] = s1.bounced
        assert (text_of(stanza), error.condition) == ("4", Condition.RESOURCE_CONSTRAINT)

    play(scenario)


def test_a_client_that_writes_to_ever_more_domains_costs_no_search_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.router.s2s.router.MAX_PAIRS", 3)
    looked = [0]

    def is_idle(pair: OutgoingPair) -> bool:
        looked[0] += 1
        return not pair.is_busy

    monkeypatch.setattr(OutgoingPair, "is_idle", property(is_idle))

    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        for number in range(1_000):
            s1.send(chat(str(number), to=f"juliet@d{number}.lit"))
        assert len(s1.bounced) == 997
        assert looked[0] <= 10
        await world.turn()  # none of these domains has an address
        s2 = await world.start(CAPULET)
        await s1.sent(chat("hello"))
        assert texts(s2) == ["hello"]

    play(scenario)


def test_a_server_that_has_stopped_sends_nothing_more() -> None:
    """What did not settle comes again from the next process: it would come twice, and out of order."""

    async def scenario(world: S2sWorld) -> None:
        s1, peers = await world.start(MONTAGUE), Peers()
        world.wires.listen(AT_CAPULET, peers)
        s1.send(chat("0"))
        await world.until(lambda: peers.all and peers.all[0].got)
        assert isinstance(s1.router, S2sRouter)
        await s1.router.stop()
        peers.all[0].say(OLD)
        await world.until(lambda: "<db:result" in peers.all[0].got)
        peers.all[0].say(f"<db:result from='{CAPULET}' to='{MONTAGUE}' type='valid'/>")
        for _ in range(200):
            world.clock.advance(1)
        assert "<message" not in peers.all[0].got
        assert peers.all[0].is_over
        assert len(peers.all) == 1

    play(scenario)


@pytest.mark.parametrize("refusals", [1, 3])
def test_a_peer_that_lacks_resources_for_dialback_is_tried_again(refusals: int) -> None:
    """XEP-0220 section 2.5, RFC 6120 section 4.9.3.17."""

    async def scenario(world: S2sWorld) -> None:
        s1 = await world.start(MONTAGUE)
        peers = Peers()
        world.wires.listen(AT_CAPULET, peers)
        s1.send(chat("0"))
        constraint = "<resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        refusal = f"type='error'><error type='wait'>{constraint}</error></db:result>"
        for number in range(refusals + 1):
            await world.until(lambda number=number: len(peers.all) > number and peers.all[number].got)
            peers.all[number].say(OLD)
            await world.until(lambda number=number: "<db:result" in peers.all[number].got)
            answer = refusal if number < refusals else "type='valid'/>"
            peers.all[number].say(f"<db:result from='{CAPULET}' to='{MONTAGUE}' {answer}")
        await world.until(lambda: "<body>0</body>" in peers.all[-1].got)
        assert s1.bounced == []

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
        peers.all[0].say(OLD)
        await world.until(lambda: "<db:result" in peers.all[0].got)
        peers.all[0].say(f"<db:result from='{CAPULET}' to='{MONTAGUE}' {answer}")
        await world.until(lambda: s1.bounced)
        assert s1.bounced[0][1].condition is condition
        assert world.clock.seconds() < 1

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
