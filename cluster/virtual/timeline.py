"""Virtual time: a heap of calls by integer nanoseconds, and a queue of those that are due at once.

`twisted.internet.task.Clock` sorts all its calls for each new one, which is quadratic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from heapq import heapify, heappop, heappush
from math import ceil
from math import inf as INFINITY
from typing import TYPE_CHECKING, Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from zope.interface import implementer

if TYPE_CHECKING:
    from cluster.virtual.processor import Processor

NS = 1_000_000_000
"""Nanoseconds in a second."""
MAX_STALE = 64
"""Stale entries stay in the heap up to this number, or up to half of all entries."""


class State(Enum):
    """The state of a process."""

    RUNS = 0
    PAUSED = 1
    OVER = 2


RUNS = State.RUNS
"""A global, as it is looked up for each call."""


class Life:
    """The life of one process: its calls are made while it runs, held while it is paused, dropped once it is over."""

    __slots__ = ("ahead_s", "held", "processor", "state")

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s
        """What its clock shows beyond the time of the network."""
        self.state = State.RUNS
        self.processor: Processor | None = None
        """Gives its turns a duration; None: everything is done at once."""
        self.held: list[tuple[int, VirtualCall]] = []
        """Calls that are due after the pause."""

    @property
    def runs(self) -> bool:
        """It is neither paused nor over."""
        return self.state is State.RUNS


KERNEL = Life()
"""The life of events that belong to no process, such as answers of an operating system."""


def _over() -> None:
    """In place of what was called, or cancelled."""


@implementer(IDelayedCall)
class VirtualCall:
    """A call that is due later."""

    __slots__ = ("_args", "_at_ns", "_kwargs", "_number", "_timeline", "_what", "life")

    def __init__(
        self,
        timeline: Timeline,
        life: Life,
        what: Callable[..., object],
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.life = life
        """The process that the call belongs to."""
        self._timeline = timeline
        self._what = what
        self._args = args
        self._kwargs = kwargs
        self._at_ns = 0
        """-1 after a cancel."""
        self._number = 0
        """The number of its entry: positive in the heap, negative in the queue, 0 where it is not pending."""

    @property
    def name(self) -> str:
        """The name of the function that is called."""
        return getattr(self._what, "__qualname__", type(self._what).__name__)

    def active(self) -> bool:
        """It is neither called nor cancelled."""
        return self._number != 0

    def getTime(self) -> float:
        """The time it is due, by the clock of its process."""
        return self._at_ns / NS + self.life.ahead_s

    def cancel(self) -> None:
        """Cancel the call. Raises AlreadyCalled, AlreadyCancelled."""
        self._leave()
        self._at_ns, self._number = -1, 0
        self._forget_what()

    def reset(self, secondsFromNow: float) -> None:
        """Make it due `secondsFromNow` from now. Raises as `cancel` does."""
        self._leave()
        self._timeline.put(self, in_ns(secondsFromNow))

    def delay(self, secondsLater: float) -> None:
        """Make it due `secondsLater` later than before. Raises as `cancel` does."""
        self._leave()
        later_ns = in_ns(secondsLater) if secondsLater >= 0 else -in_ns(-secondsLater)
        self._timeline.put(self, max(0, self._at_ns + later_ns - self._timeline.now_ns))

    def _forget_what(self) -> None:
        """What is called often has the call, too: such a cycle would wait for a garbage collection."""
        self._what, self._args, self._kwargs = _over, (), None

    def _leave(self) -> None:
        if self._number > 0:
            self._timeline.forget_place()
        elif not self._number:
            raise AlreadyCancelled if self._at_ns < 0 else AlreadyCalled


class Timeline:
    """All pending calls of a network, in order of time; calls for the same time in the order they were scheduled.

    A call that is cancelled or rescheduled leaves a stale entry, whose number differs from that of the call.
    """

    _log = Logger()

    def __init__(self) -> None:
        self.now_ns = 0
        self.events = 0
        """Calls made so far."""
        self.failures = 0
        """Calls that raised an exception; it is logged."""
        self._heap: list[tuple[int, int, VirtualCall]] = []
        self._soon: deque[tuple[int, VirtualCall]] = deque()
        self._number = 0
        self._stale = 0
        """Stale entries in the heap."""
        self._turn_ends: deque[tuple[Life, Callable[[], None]]] = deque()
        self._between: list[tuple[int, int, Callable[[], None]]] = []
        self._next_between: float = INFINITY

    def seconds(self) -> float:
        """The current time."""
        return self.now_ns / NS

    def call(self, delay_ns: int, life: Life, what: Callable[..., object], *args: Any) -> VirtualCall:
        """Schedule a call after `delay_ns`; 0: after all calls that are already due."""
        call = VirtualCall(self, life, what, args)
        self.put(call, delay_ns)
        return call

    def put(self, call: VirtualCall, delay_ns: int) -> None:
        """Schedule a call that is not pending."""
        self._number = number = self._number + 1
        call._at_ns = at_ns = self.now_ns + delay_ns
        if delay_ns > 0:
            call._number = number
            heappush(self._heap, (at_ns, number, call))
        else:  # calls in the heap for the current time were scheduled earlier
            call._number = -number
            self._soon.append((-number, call))

    def forget_place(self) -> None:
        """Count a stale entry of the heap; when there are many, remove them."""
        self._stale += 1
        if self._stale > MAX_STALE and self._stale * 2 > len(self._heap):
            self._heap = [place for place in self._heap if place[2]._number == place[1]]
            heapify(self._heap)
            self._stale = 0

    def pending(self) -> Iterator[VirtualCall]:
        """All pending calls, in no order."""
        yield from (call for number, call in self._soon if call._number == number)
        yield from (call for _, number, call in self._heap if call._number == number)

    def at_turn_end(self, life: Life, what: Callable[[], None]) -> None:
        """Call `what` right after the current call: nothing comes between the two."""
        self._turn_ends.append((life, what))

    def between(self, events: int, what: Callable[[], None]) -> None:
        """Call `what` after this number of further calls of any process."""
        self._number += 1
        heappush(self._between, (self.events + events, self._number, what))
        self._next_between = self._between[0][0]

    def _do_between(self) -> None:
        _, _, what = heappop(self._between)
        self._next_between = self._between[0][0] if self._between else INFINITY
        what()

    def run(self, until_ns: int, most: float = INFINITY) -> bool:
        """Make all calls up to and including that time. Stop after `most` calls, and return False."""
        soon, stop_at = self._soon, self.events + most
        while self.events < stop_at:
            if self.events >= self._next_between:
                self._do_between()
                continue
            heap = self._heap
            if heap and (heap[0][0] <= self.now_ns or (not soon and heap[0][0] <= until_ns)):
                at_ns, number, call = heappop(heap)
                if call._number != number:
                    self._stale -= 1
                    continue
                self.now_ns = at_ns
            elif soon:
                number, call = soon.popleft()
                if call._number != number:
                    continue
            else:
                self.now_ns = max(self.now_ns, until_ns)
                return True
            if call.life.state is RUNS:
                if call.life.processor is None:
                    self.make(call)
                    self.end_turn()
                else:
                    call.life.processor.take(number, call)
            elif call.life.state is State.PAUSED:
                call._number = -number
                call.life.held.append((-number, call))
            else:
                call._number = 0
        return False

    def make(self, call: VirtualCall) -> None:
        """Make a pending call."""
        what, args, kwargs = call._what, call._args, call._kwargs
        call._number = 0
        call._forget_what()
        self.events += 1
        try:
            if kwargs is None:
                what(*args)
            else:
                what(*args, **kwargs)
        except Exception:  # as a reactor does
            self._failed()

    def guarded(self, what: Callable[[], None]) -> None:
        """Call `what` as a part of a turn."""
        try:
            what()
        except Exception:
            self._failed()

    def end_turn(self) -> None:
        """Call what was given to `at_turn_end`."""
        while self._turn_ends:
            life, what = self._turn_ends.popleft()
            if life.state is not State.OVER:
                self.guarded(what)

    def _failed(self) -> None:
        self.failures += 1
        self._log.failure("Unhandled error in what was due")

    def release(self, life: Life) -> None:
        """Make the calls due that were held during a pause."""
        self._soon.extend(life.held)
        life.held.clear()


def in_ns(seconds: float) -> int:
    """Seconds in nanoseconds, rounded up, so that no call is early. Raises ValueError if negative or not finite."""
    if not 0 <= seconds < INFINITY:
        raise ValueError(f"{seconds} is no delay")
    return ceil(seconds * NS)
