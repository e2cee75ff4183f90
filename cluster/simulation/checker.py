"""Tracks every message: whether it is delivered, once and in order."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Mapping

from cluster.simulation.report import SimulatedMessages

MAX_MARKS = 64
"""Recently delivered messages of a flow whose marks are kept, to recognize copies."""
MAX_EXAMPLES = 3
"""Examples kept of each kind of problem."""


class Flow:
    """The messages of one person to another."""

    __slots__ = ("highest", "marks", "number", "under_way")

    def __init__(self) -> None:
        self.number = 0
        """Number of the next message."""
        self.highest = -1
        """Highest number that arrived."""
        self.under_way: dict[int, int] = {}
        """Send times of messages that have not arrived, in nanoseconds, by number."""
        self.marks: OrderedDict[int, bytes] = OrderedDict()


class Checker:
    """The promises of a run about its messages."""

    def __init__(self) -> None:
        self.sent = self.delivered = self.waited = self.bounced = 0
        self.out_of_order = self.duplicated = self.duplicated_same_id = self.misdelivered = 0
        self.examples: list[str] = []
        self.latencies_s = array("d")
        """Latencies of messages that were sent while the receiver was online."""
        self._flows: dict[tuple[int, int], Flow] = {}
        self._noted: dict[str, int] = {}

    def new_id(self, from_: int, to: int, at_ns: int) -> str:
        """Record a new message between two people, by their numbers; returns its id."""
        flow = self._flows.get((from_, to))
        if flow is None:
            flow = self._flows[from_, to] = Flow()
        number, flow.number = flow.number, flow.number + 1
        flow.under_way[number] = at_ns
        self.sent += 1
        return f"m{from_}-{to}-{number}"

    def arrived(self, id: str, at: int, at_ns: int, there_since_ns: int, mark: bytes) -> int | None:
        """A message arrived at a person: returns the number of its sender, None for a copy.

        `there_since_ns`: when its session began; `mark`: by which a copy can be told (`cluster.xmpp.stanza_id`).
        """
        from_, to, number = _parts(id)
        flow = self._flows.get((from_, to))
        if flow is None or to != at or number >= flow.number:
            self.misdelivered += 1
            self.note("misdelivered", f"{id} came to person {at}")
            return None
        sent_ns = flow.under_way.pop(number, None)
        if sent_ns is None:
            self._copy(flow, id, number, mark)
            return None
        self.delivered += 1
        if sent_ns >= there_since_ns:
            self.latencies_s.append((at_ns - sent_ns) / 1e9)
        else:
            self.waited += 1
        if number < flow.highest:
            self.out_of_order += 1
            self.note("out of order", f"{id} came after number {flow.highest}")
        flow.highest = max(flow.highest, number)
        flow.marks[number] = mark
        if len(flow.marks) > MAX_MARKS:
            flow.marks.popitem(last=False)
        return from_

    def _copy(self, flow: Flow, id: str, number: int, mark: bytes) -> None:
        if mark and flow.marks.get(number) == mark:
            self.duplicated_same_id += 1
            self.note("duplicated, same id", id)
        else:
            self.duplicated += 1
            self.note("duplicated", f"{id} came again, with no id by which it could be told")

    def came_back(self, id: str, why: str) -> None:
        """A message came back as an error."""
        from_, to, number = _parts(id)
        if self._flows[from_, to].under_way.pop(number, None) is not None:
            self.bounced += 1
            self.note("bounced", f"{id}: {why}")

    @property
    def under_way(self) -> int:
        """Messages that have neither arrived nor come back."""
        return sum(len(flow.under_way) for flow in self._flows.values())

    def lost(self, by_faults: Mapping[str, None]) -> tuple[int, int]:
        """At the end of a run: how many messages are lost, and how many were lost by faults of links."""
        missing = [f"m{from_}-{to}-{number}" for (from_, to), flow in self._flows.items() for number in flow.under_way]
        lost = [id for id in missing if id not in by_faults]
        for id in lost:
            self.note("lost", id)
        return len(lost), len(missing) - len(lost)

    def messages(self, lost: int, lost_by_fault: int) -> SimulatedMessages:
        """The counts, with the results of `lost`."""
        return SimulatedMessages(
            sent=self.sent,
            delivered=self.delivered,
            waited=self.waited,
            under_way=self.under_way - lost - lost_by_fault,
            lost=lost,
            lost_by_fault=lost_by_fault,
            bounced=self.bounced,
            out_of_order=self.out_of_order,
            duplicated=self.duplicated,
            duplicated_same_id=self.duplicated_same_id,
            misdelivered=self.misdelivered,
        )

    def percentiles_ms(self) -> dict[str, float]:
        """Percentiles of the latencies."""
        if not self.latencies_s:
            return {}
        ordered = sorted(self.latencies_s)
        places = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
        found = {
            name: round(ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1000, 3)
            for name, part in places.items()
        }
        return {**found, "max": round(ordered[-1] * 1000, 3)}

    def note(self, what: str, text: str) -> None:
        """Keep an example of a problem, up to MAX_EXAMPLES of a kind."""
        self._noted[what] = self._noted.get(what, 0) + 1
        if self._noted[what] <= MAX_EXAMPLES:
            self.examples.append(f"{what}: {text}")


def _parts(id: str) -> tuple[int, int, int]:
    from_, to, number = id[1:].split("-")
    return int(from_), int(to), int(number)
