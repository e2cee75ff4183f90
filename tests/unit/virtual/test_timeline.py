"""Virtual time: what is due happens in its order, however it was put off."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.task import LoopingCall, deferLater

from cluster.virtual.network import Network
from cluster.virtual.timeline import NS, Timeline
from tests.network import watched_log


def host() -> Any:
    return Network(Timeline()).host("10.0.0.1")


def run(reactor: Any, until_s: float) -> None:
    reactor.network.timeline.run(int(until_s * NS))


def test_what_is_due_at_once_happens_as_it_was_put_there_and_what_comes_of_it_later() -> None:
    reactor, done = host(), list[str]()

    def first() -> None:
        done.append("first")
        reactor.callLater(0, done.append, "of the first")

    reactor.callLater(1, first)
    reactor.callLater(1, done.append, "second")
    reactor.callLater(0, done.append, "now")
    run(reactor, 1)
    assert done == ["now", "first", "second", "of the first"]
    assert reactor.seconds() == 1.0


Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["call", "cancel", "reset", "delay", "run"]), st.integers(0, 9), st.integers(0, 5))
)


@given(STEPS)
def test_calls_happen_by_time_then_by_when_they_got_it(steps: list[Step]) -> None:
    """Against a list that is sorted."""
    reactor = host()
    calls: list[Any] = []
    due: dict[int, tuple[int, int]] = {}
    done: list[int] = []
    now = 0
    for number, (what, which, seconds) in enumerate(steps):
        if what == "call":
            due[len(calls)] = now + seconds, number
            calls.append(reactor.callLater(seconds, done.append, len(calls)))
        elif what == "run":
            now += seconds
            expected = sorted((at, key) for key, at in due.items() if at[0] <= now)
            done.clear()
            run(reactor, now)
            assert done == [key for _, key in expected]
            for key in done:
                del due[key]
        elif which in due:
            if what == "cancel":
                calls[which].cancel()
                del due[which]
            elif what == "reset":
                calls[which].reset(seconds)
                due[which] = now + seconds, number
            else:
                calls[which].delay(seconds)
                due[which] = due[which][0] + seconds, number
        assert sorted(calls.index(call) for call in reactor.getDelayedCalls()) == sorted(due)


def test_a_call_is_made_or_cancelled_once() -> None:
    reactor = host()
    made, cancelled = reactor.callLater(0, int), reactor.callLater(0, int)
    cancelled.cancel()
    run(reactor, 0)
    assert not made.active()
    assert not cancelled.active()
    with pytest.raises(AlreadyCalled):
        made.cancel()
    with pytest.raises(AlreadyCancelled):
        cancelled.reset(1)


@pytest.mark.parametrize("delay", [-1, float("inf"), float("nan")])
def test_what_is_no_delay_is_refused(delay: float) -> None:
    with pytest.raises(ValueError, match="no delay"):
        host().callLater(delay, int)


def test_whoever_waits_for_a_time_finds_that_it_has_come() -> None:
    """Else it waits again for what is left, which is too little to be anything."""
    reactor = host()
    run(reactor, 0.1)
    until_s = reactor.seconds() + 0.2
    tries: list[float] = []

    def wait() -> None:
        tries.append(reactor.seconds())
        if reactor.seconds() < until_s:
            reactor.callLater(until_s - reactor.seconds(), wait)

    wait()
    run(reactor, 1)
    assert len(tries) <= 3
    assert tries[-1] >= until_s


def test_an_error_is_logged_and_the_others_go_on() -> None:
    reactor, done = host(), list[str]()
    reactor.callLater(0, lambda: 1 / 0)
    reactor.callLater(0, done.append, "b")
    with watched_log() as failures:
        run(reactor, 0)
    assert done == ["b"]
    assert len(failures) == reactor.network.timeline.failures == 1


def test_nothing_happens_in_a_paused_process_until_it_goes_on() -> None:
    reactor, done = host(), list[str]()
    other = reactor.network.host("10.0.0.2")
    reactor.callLater(1, done.append, "first")
    reactor.callLater(2, done.append, "second").cancel()
    reactor.callLater(2, done.append, "third")
    other.callLater(3, done.append, "other")
    reactor.pause()
    run(reactor, 3)
    assert done == ["other"]
    reactor.resume()
    run(reactor, 3)
    assert done == ["other", "first", "third"]


def test_nothing_happens_in_a_process_that_has_crashed() -> None:
    reactor, done = host(), list[str]()
    reactor.callLater(1, done.append, "never")
    reactor.crash()
    run(reactor, 2)
    assert done == []


def test_a_coroutine_of_a_process_that_has_crashed_never_ends() -> None:
    """When it is collected, its `finally` runs: nothing of a killed process does."""
    reactor, done = host(), list[str]()

    async def work(waits_for: Deferred[None]) -> None:
        try:
            await waits_for
        finally:
            done.append("never")

    def memory(reactor: Any) -> object:
        waits_for: Deferred[None] = Deferred()
        for each in (waits_for, deferLater(reactor, 1)):
            Deferred.fromCoroutine(work(each))
        return waits_for

    other = reactor.network.host("10.0.0.2")
    kept = memory(reactor)
    reactor.crash()
    del reactor, kept
    run(other, 2)
    gc.collect()
    other.crash()
    gc.collect()
    assert done == []


def test_of_a_process_that_has_crashed_nothing_else_is_kept() -> None:
    reactor, memory, waits_for = host(), {1}, Deferred[None]()
    kept = weakref.ref(memory)
    reactor.callLater(1, memory.add, 2)
    other, ends = reactor.network.host("10.0.0.2"), until(waits_for)
    ended = weakref.ref(ends)
    Deferred.fromCoroutine(ends)
    reactor.crash()
    waits_for.callback(None)
    other.crash()
    del reactor, memory, ends, waits_for
    run(other, 2)
    assert kept() is None
    assert ended() is None


async def until(waits_for: Deferred[None]) -> None:
    await waits_for


@pytest.mark.parametrize("how", ["made", "cancelled"])
def test_a_call_that_is_over_holds_nothing(how: str) -> None:
    """The owner of a timer often is what it calls: such a cycle would wait for a garbage collection."""

    class Owner:
        def __init__(self, reactor: Any) -> None:
            self.timer = reactor.callLater(1, self.on_time, self)

        def on_time(self, owner: object) -> None:
            """Its time is over."""

    reactor = host()
    owner = Owner(reactor)
    run(reactor, 2) if how == "made" else owner.timer.cancel()
    is_there = weakref.ref(owner)
    gc.disable()
    try:
        del owner
        assert is_there() is None
    finally:
        gc.enable()


def test_a_run_stops_between_two_events() -> None:
    reactor, done = host(), list[int]()
    for number in range(4):
        reactor.callLater(number, done.append, number)
    timeline = reactor.network.timeline
    assert not timeline.run(9 * NS, most=2)
    assert (done, timeline.events, timeline.now_ns) == ([0, 1], 2, NS)
    assert timeline.run(9 * NS)
    assert (done, timeline.now_ns) == ([0, 1, 2, 3], 9 * NS)


def test_the_end_of_a_turn_belongs_to_it() -> None:
    """A crash cannot come between the two: what a turn writes to Redis goes there in one piece."""
    reactor, done = host(), list[str]()
    reactor.callLater(1, reactor.at_turn_end, lambda: done.append("end of the first"))
    reactor.callLater(1, done.append, "second")
    reactor.callLater(2, lambda: (reactor.at_turn_end(lambda: done.append("never")), reactor.crash()))
    reactor.network.timeline.between(1, lambda: done.append("between"))
    run(reactor, 2)
    assert done == ["end of the first", "between", "second"]


def test_something_can_happen_between_any_two_events() -> None:
    reactor, done = host(), list[object]()
    for number in range(4):
        reactor.callLater(1, done.append, number)
    reactor.network.timeline.between(3, lambda: done.append("third"))
    reactor.network.timeline.between(1, lambda: done.append("first"))
    run(reactor, 1)
    assert done == [0, "first", 1, 2, "third", 3]


def test_calls_that_are_put_off_again_and_again_take_no_more_room() -> None:
    """Each byte of a peer puts its time limit off."""
    reactor = host()
    calls = [reactor.callLater(60, int) for _ in range(100)]
    for _ in range(1_000):
        for call in calls:
            call.reset(60)
    assert len(reactor.network.timeline._heap) < 1_000


def test_twisteds_own_clocks_run_on_it() -> None:
    reactor, done = host(), list[float]()
    loop: Any = LoopingCall(lambda: done.append(reactor.seconds()))
    loop.clock = reactor
    loop.start(0.5)
    run(reactor, 2)
    assert done == [0, 0.5, 1.0, 1.5, 2.0]


def test_there_are_no_threads() -> None:
    with pytest.raises(RuntimeError):
        host().getThreadPool()
    with pytest.raises(RuntimeError):
        host().callFromThread(int)
