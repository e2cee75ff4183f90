"""Wires between hosts: latency, jitter, bandwidth and windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from cluster.virtual.timeline import NS, Timeline, in_ns

_NOBODY: list[Callable[[], None]] = []
"""Of a path that is not cut; all share it."""


@dataclass(frozen=True)
class Wire:
    """The properties of a wire, the same in both directions."""

    latency_s: float = 0.0005
    """Latency of each segment."""
    jitter_s: float = 0.0
    """Maximum of the additional, uniformly distributed latency of a segment; bytes of a connection stay in order."""
    bytes_per_s: int = 0
    """Bandwidth of one direction, shared by all connections; 0: unlimited."""
    segment_bytes: int = 65_536
    """Maximum size of a segment."""
    window_bytes: int = 262_144
    """Maximum of the bytes of one direction of a connection that are under way or unread."""


class Path:
    """One direction of a wire."""

    __slots__ = (
        "_free_at_ns", "_jitter_ns", "_random", "_timeline", "_waiting", "is_cut", "latency_ns", "wire",
    )  # fmt: skip

    def __init__(self, timeline: Timeline, wire: Wire, seed: str) -> None:
        """`seed`: of the jitter."""
        self.wire = wire
        self.is_cut = False
        self.latency_ns = in_ns(wire.latency_s)
        self._timeline = timeline
        self._jitter_ns = in_ns(wire.jitter_s)
        self._random = Random(seed) if self._jitter_ns else None
        self._free_at_ns = 0
        self._waiting = _NOBODY

    def arrival_ns(self, size_bytes: int) -> int:
        """The time at which a segment sent now arrives."""
        at_ns = self._timeline.now_ns
        if self.wire.bytes_per_s:
            at_ns = max(at_ns, self._free_at_ns) + size_bytes * NS // self.wire.bytes_per_s
            self._free_at_ns = at_ns
        if self._random is not None:
            at_ns += self._random.randrange(self._jitter_ns + 1)
        return at_ns + self.latency_ns

    def when_mended(self, what: Callable[[], None]) -> None:
        """Call `what` when the path is mended."""
        if self._waiting is _NOBODY:
            self._waiting = []
        self._waiting.append(what)

    def mend(self) -> None:
        """End the cut."""
        self.is_cut = False
        waiting, self._waiting = self._waiting, _NOBODY
        for what in waiting:
            what()
