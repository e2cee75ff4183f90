"""Time for the turns of a process: it does one after the other, on one of the cores of its machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING

from cluster.virtual.timeline import KERNEL, RUNS, Life, State, Timeline, VirtualCall

if TYPE_CHECKING:
    from cluster.virtual.sending import Sending
    from cluster.virtual.transport import Transport

READ_BYTES = 65_536
"""What one read of a connection takes at most, as Twisted's `bufferSize`."""
SLEEP_NS = 100_000
"""A process that slept for a shorter time is woken at the least cost."""


@dataclass
class Tally:
    """What a process did in a turn."""

    wakes: int = 0
    """1 where it was idle before, and had to be woken."""
    cooled: float = 0.0
    """Of a process that was woken: the doublings of SLEEP_NS in the time that it slept. Its caches have cooled."""
    calls: int = 0
    """Timers, and other calls that are no input."""
    reads: int = 0
    read_bytes: int = 0
    writes: int = 0
    written_bytes: int = 0
    accepts: int = 0
    """New connections to its ports."""
    counted: int = 0
    """What else costs time, of its own kind."""


class _Core:
    def __init__(self) -> None:
        self.is_free = True
        self.waiting: deque[Processor] = deque()


class Cores:
    """The cores of a machine, each with a queue of its own, as those of Linux.

    A turn takes the core of the last turn of its process if it is free, or else another free one. If there is none, it
    waits for that core: another one that is idle for less than 0.5 ms (`sched_migration_cost_ns`) takes nothing over.
    """

    def __init__(self, count: int) -> None:
        self._cores = [_Core() for _ in range(count)]

    def want(self, processor: Processor) -> None:
        """Let it do its turn, now or when a core is free."""
        last = next((core for core in self._cores if core is processor.core), self._cores[0])
        core = last if last.is_free else next((core for core in self._cores if core.is_free), last)
        if core.is_free:
            self._run(core, processor)
        else:
            core.waiting.append(processor)

    def release(self, core: _Core) -> None:
        """The turn on this core is over."""
        core.is_free = True
        if core.waiting:
            self._run(core, core.waiting.popleft())

    def _run(self, core: _Core, processor: Processor) -> None:
        core.is_free = False
        processor.turn(core)


class Processor:
    """A queue in front of a process: what comes during a turn is done in the next one, all of it at once.

    What a turn writes is sent at its end, unless it `sends_at_once`. So a process that is killed within a turn has
    written nothing of it.
    """

    def __init__(
        self, timeline: Timeline, life: Life, cores: Cores, cost_ns: Callable[[Tally], int],
        wake_ns: Callable[[], int] = lambda: 0, is_over: Callable[[Tally, int], object] = lambda tally, cost_ns: None,
        *, sends_at_once: bool = False,
    ) -> None:  # fmt: skip
        """`cost_ns`: the duration of the turn in which this was done; called once for each. `wake_ns`: from the event
        that wakes an idle process until it wants a core; called for each wake. `is_over`: called after each turn, with
        its duration. `sends_at_once`: what a turn writes is sent in the course of it."""
        self.tally = Tally()
        self.core: _Core | None = None
        """Of its last turn."""
        self.in_turn = False
        self._timeline = timeline
        self._life = life
        self._cores = cores
        self._cost_ns = cost_ns
        self._wake_ns = wake_ns
        self._sends_at_once = sends_at_once
        self._is_over = is_over
        self._slept_at_ns = timeline.now_ns
        self._ready: deque[tuple[int, VirtualCall]] = deque()
        self._is_idle = True
        self._to_read: dict[Transport, None] = {}
        self._to_write: dict[Sending, None] = {}
        life.processor = self

    def take(self, number: int, call: VirtualCall) -> None:
        """A call is due; `number` is that of its entry."""
        call._number = number
        self._ready.append((number, call))
        if self._is_idle:
            self._is_idle = False
            self.tally.wakes = 1
            self.tally.cooled = log2(1 + (self._timeline.now_ns - self._slept_at_ns) / SLEEP_NS)
            if wake_ns := self._wake_ns():
                self._timeline.call(wake_ns, KERNEL, self._cores.want, self)
            else:
                self._cores.want(self)

    def read(self, transport: Transport) -> None:
        """Input has come: read it in this turn, after its calls."""
        self.tally.calls -= 1  # its arrival is no call
        self._to_read[transport] = None

    def write(self, transport: Sending, size_bytes: int) -> None:
        """So much was written to this connection: send what it has at the end of this turn."""
        self.tally.written_bytes += size_bytes
        self._to_write[transport] = None

    def is_to_write(self, transport: Sending) -> bool:
        """The end of the turn sends what this connection has."""
        return transport in self._to_write

    def turn(self, core: _Core) -> None:
        """Do all that is due, on this core."""
        cost_ns = 0
        self.core = core
        if self._life.state is RUNS:
            self.in_turn = True
            self._do()
            self.in_turn = False
            tally = self.tally
            tally.writes = len(self._to_write)
            cost_ns = self._cost_ns(tally)
        tally, self.tally = self.tally, Tally()
        if self._sends_at_once and (count := len(self._to_write)) > 1:
            for number in range(1, count):
                self._timeline.call(cost_ns * number // count, KERNEL, self._send_next)
        self._timeline.call(cost_ns, KERNEL, self._finish, tally, cost_ns)

    def _send_next(self) -> None:
        transport = next(iter(self._to_write))
        del self._to_write[transport]
        transport.flush()

    def _do(self) -> None:
        timeline, tally = self._timeline, self.tally
        ready, self._ready = self._ready, deque()
        for number, call in ready:
            if call._number == number:
                tally.calls += 1
                timeline.make(call)
        while self._to_read:
            reading, self._to_read = self._to_read, {}
            for transport in reading:
                timeline.guarded(transport.read)
        timeline.end_turn()

    def _finish(self, tally: Tally, cost_ns: int) -> None:
        self._is_over(tally, cost_ns)
        writing, self._to_write = self._to_write, {}
        for transport in writing:
            transport.flush()
        self._is_idle = True
        self._slept_at_ns = self._timeline.now_ns
        if self._life.state is State.PAUSED:
            self._life.held.extend(self._ready)
            self._ready.clear()
        elif self._life.state is RUNS and self._ready:
            self._is_idle = False
        assert self.core is not None
        self._cores.release(self.core)
        if not self._is_idle:
            self._cores.want(self)
