"""The time that peers are given: it passes only as fast as the server keeps up with them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

from twisted.internet.base import DelayedCall

from cluster.base.clock import Clock

TICK_S = 1.0
"""The most of a peer's time that one turn of the reactor can cost."""


class PeerCall:
    """A scheduled call, as far as Twisted's IDelayedCall is needed."""

    __slots__ = ("_cancelled", "_what")

    def __init__(self, what: Callable[[], object], cancelled: Callable[[], None]) -> None:
        self._what: Callable[[], object] | None = what
        self._cancelled = cancelled

    def active(self) -> bool:
        """It was neither called nor cancelled."""
        return self._what is not None

    def cancel(self) -> None:
        """Cancel the call."""
        if self._what is not None:
            self._what = None
            self._cancelled()

    def call(self) -> None:
        """Make the call."""
        if self._what is not None:
            what, self._what = self._what, None
            what()


class PeerClock:
    """A clock for the time limits of peers, of `TICK_S` and more.

    When thousands log in at once, a turn of the reactor takes seconds, in which input of peers lies unread, and by the
    reactor's clock their time runs out. By this clock a turn takes at most `TICK_S`: before a peer's time is over the
    server has looked for its answer as many times as the limit has seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._now_s = 0.0
        self._ticked_s = 0.0  # the reactor's time at that moment
        self._tick: DelayedCall | None = None
        self._tick_s = 0.0  # how much later it is here at the next tick
        self._calls: list[tuple[float, int, PeerCall]] = []
        self._numbers = itertools.count()
        self._active = 0

    def callLater(self, delay: float, what: Callable[[], object]) -> Any:
        """IReactorTime: call `what` after so many seconds by this clock."""
        if self._tick is None:
            self._schedule(min(TICK_S, delay))
        since_s = min(self._clock.seconds() - self._ticked_s, self._tick_s)
        call = PeerCall(what, self._done)
        heapq.heappush(self._calls, (self._now_s + since_s + delay, next(self._numbers), call))
        self._active += 1
        return call

    def _schedule(self, tick_s: float) -> None:
        self._ticked_s, self._tick_s = self._clock.seconds(), tick_s
        self._tick = self._clock.callLater(tick_s, self._on_tick)

    def _done(self) -> None:
        """One call less to wait for; without any, the clock stops ticking."""
        self._active -= 1
        if not self._active:
            self._calls.clear()
            if self._tick is not None:
                self._tick.cancel()
                self._tick = None

    def _on_tick(self) -> None:
        self._tick = None
        self._now_s += self._tick_s
        due = []
        while self._calls and self._calls[0][0] <= self._now_s + 1e-9:
            due.append(heapq.heappop(self._calls)[2])
        for call in due:
            if call.active():
                self._active -= 1
                call.call()
        while self._calls and not self._calls[0][2].active():
            heapq.heappop(self._calls)
        if self._calls and self._tick is None:
            self._schedule(min(TICK_S, self._calls[0][0] - self._now_s))
