"""Time for the turns of a process: it does one after the other, on one of the cores of its machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.virtual.timeline import KERNEL, RUNS, Life, State, Timeline, VirtualCall

if TYPE_CHECKING:
    from cluster.virtual.sending import Sending
    from cluster.virtual.transport import Transport

READ_BYTES = 65_536
"""What one read of a connection takes at most, as Twisted's `bufferSize`."""


@dataclass
class Tally:
    """What a process did in a turn."""

    wakes: int = 0
    """1 where it was idle before, and had to be woken."""
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


class Cores:
    """The cores of a machine. A turn takes the first free one; turns wait in order of their time."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[Processor] = deque()

    def want(self, processor: Processor) -> None:
        """Let it do its turn, now or when a core is free."""
        if self._free:
            self._free -= 1
            processor.turn()
        else:
            self._waiting.append(processor)

    def release(self) -> None:
        """A turn is over."""
        if self._waiting:
            self._waiting.popleft().turn()
        else:
            self._free += 1


class Processor:
    """A queue in front of a process: what comes during a turn is done in the next one, all of it at once.

    What a turn writes is sent at its end. So a process that is killed within a turn has written nothing of it.
    """

    def __init__(self, timeline: Timeline, life: Life, cores: Cores, cost_ns: Callable[[Tally], int]) -> None:
        """`cost_ns`: the duration of the turn in which this was done; called at the end of each."""
        self.tally = Tally()
        self.in_turn = False
        self.busy_ns = 0
        """Time of all turns so far."""
        self.did = Tally()
        """The sum over all turns that are over."""
        self._timeline = timeline
        self._life = life
        self._cores = cores
        self._cost_ns = cost_ns
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

    def turn(self) -> None:
        """Do all that is due. A core is free."""
        cost_ns = 0
        if self._life.state is RUNS:
            self.in_turn = True
            self._do()
            self.in_turn = False
            tally = self.tally
            tally.writes = len(self._to_write)
            cost_ns = self._cost_ns(tally)
        tally, self.tally = self.tally, Tally()
        self.busy_ns += cost_ns
        self._timeline.call(cost_ns, KERNEL, self._finish, tally)

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

    def _finish(self, tally: Tally) -> None:
        for name, value in vars(tally).items():
            setattr(self.did, name, getattr(self.did, name) + value)
        writing, self._to_write = self._to_write, {}
        for transport in writing:
            transport.flush()
        self._is_idle = True
        if self._life.state is State.PAUSED:
            self._life.held.extend(self._ready)
            self._ready.clear()
        elif self._life.state is RUNS and self._ready:
            self._is_idle = False
            self._cores.want(self)
        self._cores.release()
