"""Which stanzas a node records: those that are followed, and what becomes of the others."""

import msgspec
import pytest
from twisted.internet.task import Clock

from cluster.trace import unfollowed
from cluster.trace.hop import Event, Tracer
from cluster.trace.memory import MemoryJournal
from cluster.trace.unfollowed import MAX_PER_PERIOD, PERIOD_S
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make
from tests.helpers import ids


class World:
    """A tracer on a clock of its own."""

    def __init__(self, sample_every: int = 0) -> None:
        self.clock = Clock()
        self.journal = MemoryJournal()
        self.tracer = Tracer("s1", self.journal, lambda: 0, ids(), sample_every, self.clock)

    def fail(self, count: int, event: Event = Event.BOUNCED) -> None:
        for _ in range(count):
            self.tracer.record(event, message(), "service-unavailable")

    def take(self) -> list[str]:
        """The details of what was recorded since the last time."""
        details = [hop.detail for hop in self.journal.hops]
        self.journal.hops.clear()
        return details


def message(trace_id: str = "") -> Stanza:
    made = make("message", to=Jid.parse("nobody@capulet.lit"), from_=Jid.parse("romeo@montague.lit"), type="chat")
    return msgspec.structs.replace(made, trace_id=trace_id)


@pytest.mark.parametrize("event", [Event.BOUNCED, Event.DROPPED, "dropped"])
def test_what_fails_is_recorded_though_it_is_not_followed(event: str) -> None:
    world = World()
    world.tracer.record(event, message(), "why")
    world.tracer.record(event, message(), "why")
    [one, other] = world.journal.hops
    assert (one.event, one.from_, one.to, one.detail) == (event, "romeo@montague.lit", "nobody@capulet.lit", "why")
    assert one.trace_id != other.trace_id


@pytest.mark.parametrize("event", [each for each in Event if each not in ("bounced", "dropped")])
def test_what_goes_on_is_recorded_of_the_followed_only(event: Event) -> None:
    world = World()
    world.tracer.record(event, message(), "why")
    assert world.take() == []


def test_a_flood_of_failures_is_counted() -> None:
    world = World()
    world.fail(MAX_PER_PERIOD + 5_000)
    assert len(world.take()) == MAX_PER_PERIOD
    world.clock.advance(PERIOD_S)
    [told] = world.take()
    assert told == "and 5000 more of stanzas that are not followed, bounced or dropped"


def test_a_flood_that_goes_on_takes_no_more_room_in_each_period() -> None:
    world = World()
    for _ in range(10):
        for _ in range(4):
            world.fail(100)
            world.clock.advance(PERIOD_S / 4)
    recorded = world.take()
    assert len(recorded) == 10 * (MAX_PER_PERIOD + 1)
    more = sum(int(told.split()[1]) for told in recorded if told.startswith("and "))
    assert 10 * MAX_PER_PERIOD + more == 4_000  # each is recorded or counted


def test_few_failures_leave_no_timer_behind() -> None:
    world = World()
    world.fail(MAX_PER_PERIOD)
    assert not world.clock.getDelayedCalls()
    world.clock.advance(PERIOD_S)
    world.fail(MAX_PER_PERIOD)
    assert len(world.take()) == 2 * MAX_PER_PERIOD


def test_a_flood_does_not_push_out_what_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfollowed, "MAX_PER_PERIOD", 1)
    world = World(sample_every=1)
    world.fail(10)
    world.take()
    world.tracer.record(Event.BOUNCED, message(world.tracer.sample(message())), "followed")
    assert world.take() == ["followed"]


@pytest.mark.parametrize("sample_every", [0, 1, 3])
def test_every_stanza_is_followed_for_as_long_as_that_was_asked_for(sample_every: int) -> None:
    world = World(sample_every)
    world.tracer.follow_share(1, 10.0)
    assert all(world.tracer.sample(message()) for _ in range(7))
    world.clock.advance(9.9)
    assert all(world.tracer.sample(message()) for _ in range(7))
    world.tracer.follow_share(1, 10.0)  # again
    world.clock.advance(9.9)
    assert all(world.tracer.sample(message()) for _ in range(7))
    world.clock.advance(0.2)  # whoever asked is gone, however that came about
    followed = [bool(world.tracer.sample(message())) for _ in range(6)]
    assert followed == {0: [False] * 6, 1: [True] * 6, 3: [False, False, True] * 2}[sample_every]


@pytest.mark.parametrize(("sample_every", "followed"), [(0, 3), (1, 12), (2, 6), (100, 3)])
def test_a_share_is_followed_for_as_long_as_that_was_asked_for(sample_every: int, followed: int) -> None:
    world = World(sample_every)
    world.tracer.follow_share(4, 10.0)
    assert sum(bool(world.tracer.sample(message())) for _ in range(12)) == followed


def test_of_several_shares_the_largest_counts_while_it_lasts() -> None:
    world = World()
    world.tracer.follow_share(4, 10.0)
    world.tracer.follow_share(1, 2.0)
    assert all(world.tracer.sample(message()) for _ in range(12))
    world.clock.advance(3.0)
    assert sum(bool(world.tracer.sample(message())) for _ in range(12)) == 3


def test_a_late_request_ends_nobody_elses() -> None:
    world = World()
    world.tracer.follow_share(1, 10.0)
    world.tracer.follow_share(1, -5.0)  # it waited for a node that hung
    assert world.tracer.sample(message())


def test_a_stanza_is_followed_by_its_id() -> None:
    """`xmpplab send` asks for its message, and not for the ping that it sends to know its fate."""
    world = World()
    world.tracer.follow("a1", 2.0)
    assert world.tracer.sample(msgspec.structs.replace(message(), id="a1"))
    assert not world.tracer.sample(msgspec.structs.replace(message(), id="a2"))
    assert not world.tracer.sample(message())
    world.clock.advance(2.1)
    assert not world.tracer.sample(msgspec.structs.replace(message(), id="a1"))
