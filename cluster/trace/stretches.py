"""Where the time of stanzas goes: at a node, or over a link between two. Pure: from hops to times by stretch."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cluster.base.histogram import Histogram
from cluster.trace.hop import FAILURES, Event, Hop

ROUTER = "router"
"""The node of hops in the queue between two domains: it is no place of its own, but a part of the link."""
ARROW = "→"
MAX_STANZAS = 10_000
"""Stanzas of which it is known where they were last."""
MAX_STRETCHES = 1_000
"""Further ones are left out: every server may append hops with any name to the journal."""

_ARRIVALS = (Event.RECEIVED, Event.DEQUEUED)
_ENDS = (Event.DELIVERED, Event.STORED, *FAILURES)


class _Way(msgspec.Struct):
    """Where a stanza, or one copy of it, was last."""

    node: str = ""
    """Empty: not known yet."""
    came_ns: int = 0
    last_ns: int = 0
    """The last hop there."""
    dequeued_ns: int = 0
    """When it was read from a link whose other end is not known yet; otherwise 0."""
    has_ended: bool = False
    """The time at this node is told."""
    is_copied: bool = False
    nodes: tuple[str, ...] = ()


class Stretches:
    """Takes hops of any stanzas, and tells how long each stretch took.

    `s1`: from the first hop at a node to the last, or to the delivery; `s1→s2`: from there until it is read from the
    link, or until the first hop at the other node. The clients of a lab are no nodes of it.
    """

    def __init__(self) -> None:
        self._ways: dict[tuple[str, str], _Way] = {}
        self._times: dict[str, Histogram] = {}
        self.stanzas = 0
        """Those whose first hop came since the last `take_times`."""
        self.failures = 0

    def take(self, hops: Iterable[Hop]) -> None:
        """Count these hops, which are about the newest of all nodes."""
        for hop in sorted(hops, key=lambda hop: hop.at_utc_ns):
            if hop.event in FAILURES or hop.event is Event.LOST:
                self.failures += 1
            if hop.kind and "@" not in hop.node:
                self._follow(self._way_of(hop), hop)

    def take_times(self) -> dict[str, Histogram]:
        """The times since the last call, by stretch."""
        times, self._times = self._times, {}
        self.stanzas = self.failures = 0
        return times

    def _way_of(self, hop: Hop) -> _Way:
        """The copies of a stanza for many receivers go on from where they were made, each for itself."""
        key = hop.trace_id, ""
        way = self._ways.get(key)
        if way is not None and way.is_copied and not hop.copies:
            key, origin = (hop.trace_id, hop.to), way
            way = self._ways.get(key) or _Way(origin.node, origin.came_ns, origin.last_ns, nodes=origin.nodes)
        if way is None:
            way = _Way()
        self._ways.pop(key, None)
        self._ways[key] = way  # the newest
        if len(self._ways) > MAX_STANZAS:
            del self._ways[next(iter(self._ways))]
        return way

    def _follow(self, way: _Way, hop: Hop) -> None:
        at_ns = hop.at_utc_ns
        if hop.node == ROUTER:
            if hop.event is Event.DEQUEUED:
                way.dequeued_ns = at_ns
            return
        if hop.node == way.node and way.dequeued_ns:
            way.came_ns = way.last_ns = way.dequeued_ns  # read once more, by the node that was started again
            way.dequeued_ns = 0
        elif hop.node != way.node:
            is_arrival = hop.node not in way.nodes or hop.event in _ARRIVALS or way.dequeued_ns
            if not is_arrival:
                return  # a node may record an event after the stanza has left it
            came_ns = way.dequeued_ns or at_ns
            if way.node:
                self._leave(way, hop.node, came_ns)
            elif not way.dequeued_ns:
                self.stanzas += 1
            way.node, way.came_ns, way.last_ns = hop.node, came_ns, came_ns
            way.dequeued_ns, way.has_ended = 0, False
            way.nodes = (*way.nodes, hop.node)
        way.last_ns = max(way.last_ns, at_ns)
        way.is_copied = way.is_copied or hop.copies > 0
        if hop.event in _ENDS:
            way.has_ended = True
            self._add(way.node, at_ns - way.came_ns)

    def _leave(self, way: _Way, to: str, came_ns: int) -> None:
        if not way.has_ended:
            self._add(way.node, way.last_ns - way.came_ns)
        self._add(f"{way.node}{ARROW}{to}", came_ns - way.last_ns)

    def _add(self, stretch: str, took_ns: int) -> None:
        if stretch not in self._times and len(self._times) >= MAX_STRETCHES:
            return
        self._times.setdefault(stretch, Histogram()).add(took_ns / 1e6)
