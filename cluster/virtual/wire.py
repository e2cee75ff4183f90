"""What one host's bytes go through on their way to another host."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from cluster.virtual.timeline import NS, Timeline, in_ns


@dataclass(frozen=True)
class Wire:
    """The same in both directions."""

    latency_s: float = 0.0005
    """Of each segment."""
    jitter_s: float = 0.0
    """At most so much more of each, evenly spread; it never changes the order of a connection's bytes."""
    bytes_per_s: int = 0
    """Of all connections in one direction; 0: any number."""
    segment_bytes: int = 65_536
    """The most that arrives at once."""
    window_bytes: int = 262_144
    """Of one connection in one direction: what may be under way or wait unread at the receiver."""


class Path:
    """One direction between two hosts."""

    def __init__(self, timeline: Timeline, wire: Wire, seed: str) -> None:
        """`seed` is for the jitter of this path."""
        self.wire = wire
        self.is_cut = False
        self.latency_ns = in_ns(wire.latency_s)
        self._timeline = timeline
        self._jitter_ns = in_ns(wire.jitter_s)
        self._random = Random(seed) if self._jitter_ns else None
        self._free_at_ns = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def arrival_ns(self, size_bytes: int) -> int:
        """When what leaves now has arrived."""
        at_ns = self._timeline.now_ns
        if self.wire.bytes_per_s:
            at_ns = max(at_ns, self._free_at_ns) + size_bytes * NS // self.wire.bytes_per_s
            self._free_at_ns = at_ns
        if self._random is not None:
            at_ns += self._random.randrange(self._jitter_ns + 1)
        return at_ns + self.latency_ns

    def when_mended(self, what: Callable[[], None]) -> None:
        """Called as soon as something comes through again."""
        self._waiting.append(what)

    def mend(self) -> None:
        """It is not cut any more."""
        self.is_cut = False
        waiting, self._waiting = self._waiting, deque()
        for what in waiting:
            what()
