"""Traffic on the lines of the map, from hops. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from statistics import median

import msgspec

from cluster.trace.hop import FAILURES, Event, Hop

ROUTER = "router"
"""The node of hops in the queue between two domains: it lies on the line, and is no end of it."""
MAX_STANZAS = 10_000
"""Stanzas of which it is known where they were last."""
MAX_TIMES = 1_000
"""Times of one line and one second."""

Line = tuple[str, str]
"""From one node to another, by their names."""


class LineTraffic(msgspec.Struct, frozen=True):
    """What crossed a line within the last second."""

    stanzas: int
    ms: float
    """The median time from the last hop at one end to the first at the other."""


class _Last(msgspec.Struct):
    """Where a stanza was last."""

    node: str
    at_utc_ns: int
    has_come: bool
    """Whether it is known from where it came there."""


class Traffic:
    """Counts stanzas as they go from node to node. Hops of different nodes come in any order."""

    def __init__(self) -> None:
        self._last: dict[str, _Last] = {}
        self._moves: Counter[Line] = Counter()
        self._failures: Counter[str] = Counter()
        self._times: defaultdict[Line, deque[float]] = defaultdict(lambda: deque(maxlen=MAX_TIMES))
        self._counts: Counter[Line] = Counter()

    def take(self, hops: Iterable[Hop]) -> None:
        """Count these hops."""
        for hop in hops:
            if hop.event in FAILURES or hop.event is Event.LOST:
                self._failures[hop.node] += 1
            if hop.kind and hop.node != ROUTER:
                self._follow(hop)

    def _follow(self, hop: Hop) -> None:
        last = self._last.pop(hop.trace_id, None)
        if last is None:
            last = _Last(hop.node, hop.at_utc_ns, has_come=False)
        elif hop.at_utc_ns >= last.at_utc_ns:
            if hop.node != last.node:
                self._move(last.node, hop.node, hop.at_utc_ns - last.at_utc_ns)
                last.node, last.has_come = hop.node, True
            last.at_utc_ns = hop.at_utc_ns
        elif hop.node != last.node and not last.has_come:
            self._move(hop.node, last.node, last.at_utc_ns - hop.at_utc_ns)
            last.has_come = True
        self._last[hop.trace_id] = last
        if len(self._last) > MAX_STANZAS:
            del self._last[next(iter(self._last))]

    def _move(self, from_: str, to: str, took_ns: int) -> None:
        self._moves[from_, to] += 1
        self._counts[from_, to] += 1
        self._times[from_, to].append(took_ns / 1e6)

    def moves(self) -> Counter[Line]:
        """How many stanzas crossed each line since the last call."""
        moves, self._moves = self._moves, Counter()
        return moves

    def failures(self) -> Counter[str]:
        """How many stanzas failed at each node since the last call."""
        failures, self._failures = self._failures, Counter()
        return failures

    def second(self) -> dict[Line, LineTraffic]:
        """The lines in use since the last call, which is made once a second."""
        counts, times = self._counts, self._times
        self._counts, self._times = Counter(), defaultdict(lambda: deque(maxlen=MAX_TIMES))
        return {line: LineTraffic(count, round(median(times[line]), 2)) for line, count in counts.items()}
