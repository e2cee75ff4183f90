"""One contract for the link faults of every router."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from cluster.base.settled import Settled
from cluster.xmpp.errors import Condition
from tests.ports.conftest import Run
from tests.ports.worlds import CAPULET, MONTAGUE, World, chat, text_of


def test_a_partition_holds_everything_and_heals_in_order(run_queued: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await world.set_faults(MONTAGUE, CAPULET, down="always")
        for number in range(20):
            await s1.sent(chat(str(number)))
        s2.send(chat("the other way", from_="juliet@capulet.lit/balcony", to="romeo@montague.lit/pda"))
        await world.until(lambda: s1.delivered)
        assert s2.delivered == []
        await world.set_faults(MONTAGUE, CAPULET)
        await world.until(lambda: len(s2.delivered) == 20)
        assert [text_of(stanza) for stanza in s2.delivered] == [str(number) for number in range(20)]
        await world.until_empty(MONTAGUE, CAPULET)

    run_queued(scenario)


def test_a_partition_ends_by_itself(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await world.set_faults(MONTAGUE, CAPULET, down="..300ms")
        await s1.sent(chat("late"))
        await world.until(lambda: s2.delivered)
        s1.send(chat("at once"))
        await world.until(lambda: len(s2.delivered) == 2)

    run(scenario)


def test_beyond_the_backlog_of_a_partition_senders_are_told_to_wait(run_queued: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await world.set_faults(MONTAGUE, CAPULET, down="always")
        for number in range(60):
            await s1.sent(chat(str(number)))
        assert {error.condition for _, error in s1.bounced} == {Condition.REMOTE_SERVER_TIMEOUT}
        await world.set_faults(MONTAGUE, CAPULET)
        await world.until(lambda: len(s2.delivered) + len(s1.bounced) == 60)
        await world.until_empty(MONTAGUE, CAPULET)

    run_queued(scenario)


def test_a_delay_keeps_order_and_nothing_is_acknowledged_before_it_arrived(run_queued: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await world.set_faults(MONTAGUE, CAPULET, delay="60m")
        for number in range(5):
            await s1.sent(chat(str(number)))
        await world.crash(s2)
        again = await world.start(CAPULET)
        assert s2.delivered == again.delivered == []
        await world.set_faults(MONTAGUE, CAPULET, delay="30ms", jitter="50ms")
        for number in range(5, 20):
            await s1.sent(chat(str(number)))
        await world.until(lambda: len(again.delivered) == 20)
        assert [text_of(stanza) for stanza in again.delivered] == [str(number) for number in range(20)]
        await world.until_empty(MONTAGUE, CAPULET)
        assert s2.delivered == []

    run_queued(scenario)


def test_what_is_on_its_way_when_the_reader_stops_comes_to_the_next_one(run_queued: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await world.set_faults(MONTAGUE, CAPULET, delay="300ms")
        await s1.sent(chat("slow"))
        await world.turn()
        await s2.router.stop()
        again = await world.start(CAPULET)
        await world.until(lambda: again.delivered)
        await world.until_empty(MONTAGUE, CAPULET)
        assert s2.delivered == []

    run_queued(scenario)


def test_losses_are_recorded_counted_and_acknowledged(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await world.set_faults(MONTAGUE, CAPULET, loss="100%")
        await s1.sent(chat("followed", trace_id="t1"))
        await s1.sent(chat("not followed"))
        await world.until(lambda: world.lost(MONTAGUE, CAPULET) == 2)
        await world.until_empty(MONTAGUE, CAPULET)
        assert s2.delivered == []
        assert [(hop.event, hop.node, hop.detail, hop.trace_id, hop.reason) for hop in s2.hops] == [
            ("lost", "router", "loss", "t1", "link-loss"),
            ("lost", "router", "loss", "new", "link-loss"),
        ]

    run(scenario)


def test_a_double_is_the_same_stanza_with_the_same_id(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await world.set_faults(MONTAGUE, CAPULET, duplicate="100%")
        await s1.sent(chat("hi!"))
        await world.until(lambda: len(s2.delivered) == 2)
        assert s2.delivered[0] == s2.delivered[1]
        await world.until_empty(MONTAGUE, CAPULET)

    run(scenario)


def test_an_entry_on_a_link_with_faults_settles_with_its_last_stanza(run_queued: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        later: Settled = Deferred()
        s2.settled_by = lambda stanza: later if text_of(stanza) == "0" else None
        await world.set_faults(MONTAGUE, CAPULET, delay="20ms", reorder="50%")
        for number in range(8):
            s1.send(chat(str(number)))
        await world.until(lambda: len(s2.delivered) == 8)
        await world.until_settled(MONTAGUE, CAPULET, left=1)
        assert later is not None
        later.callback(None)
        await world.until_empty(MONTAGUE, CAPULET)

    run_queued(scenario)
