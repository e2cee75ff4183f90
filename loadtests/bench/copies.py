"""One publication after the other, each to many receivers, and its measurement: a room, presence, personal eventing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from loadtests.bench.cost import Processes
from loadtests.bench.crew import Crew, FlowBroken
from loadtests.bench.hearer import Hearer
from loadtests.bench.line import Line

WARM_UP_S = 0.3
TRY_S = 2.0
"""Time after which something is published again while the servers still learn who wants it."""
TRIES = 10

Write = Callable[[bytes], bytes]
"""The stanza that has this text, for the wire."""


@dataclass(frozen=True)
class Measured:
    """Publications, of which the next one begins when all have read the last one."""

    cpu_us: float
    """Per receiver, of all processes."""
    first_ms: float
    """The median, from when it was sent until the first receiver had read it."""
    last_ms: float
    """The same for the last receiver."""


class Copies:
    """One publisher and its receivers, each of which gets one copy."""

    def __init__(
        self, crew: Crew, publisher: Line, write: Write, receivers: Sequence[Hearer], processes: Processes
    ) -> None:
        self._crew = crew
        self._publisher = publisher
        self._write = write
        self._receivers = receivers
        self._processes = processes
        self._left = 0
        self._first_ns = 0

    def begin(self) -> None:
        """From now on its receivers count these copies. Publish until all hear it."""
        for receiver in self._receivers:
            receiver.on_heard = self._on_heard
        for attempt in range(TRIES):
            try:
                self._publish(TRY_S)
            except FlowBroken:
                if attempt == TRIES - 1:
                    raise
            else:
                return

    def measure(self, for_s: float) -> Measured:
        """Publish for this time."""
        self._publish_for(WARM_UP_S)
        cpu_s = self._processes.cpu_s()
        taken = self._publish_for(for_s)
        cpu_s = self._processes.cpu_s() - cpu_s
        first, last = zip(*taken, strict=True)
        return Measured(1e6 * cpu_s / len(taken) / len(self._receivers), median(first), median(last))

    def _publish_for(self, for_s: float) -> list[tuple[float, float]]:
        until_s = time.monotonic() + for_s
        taken = [self._publish()]
        while time.monotonic() < until_s:
            taken.append(self._publish())
        return taken

    def _publish(self, within_s: float = 20.0) -> tuple[float, float]:
        """First and last copy, in ms."""
        begun_ns = time.monotonic_ns()
        mark = b"%d#" % begun_ns
        for receiver in self._receivers:
            receiver.mark = mark
        self._left, self._first_ns = len(self._receivers), 0
        self._publisher.send(self._write(mark))
        self._crew.serve_until(lambda: not self._left, f"not all of {len(self._receivers)} copies came", within_s)
        return (self._first_ns - begun_ns) / 1e6, (time.monotonic_ns() - begun_ns) / 1e6

    def _on_heard(self) -> None:
        if not self._first_ns:
            self._first_ns = time.monotonic_ns()
        self._left -= 1
