"""From what the clients wrote down to what became of each message. Pure: the same records give the same verdict."""

from __future__ import annotations

from array import array
from collections.abc import Collection

from cluster.lab.verify.records import FlowRecord
from cluster.lab.verify.report import Counts, Example, Fate, FlowReport
from cluster.trace.hop import Event, Hop

MAX_EXAMPLES = 3
"""Of each fate in each flow."""


def judge(record: FlowRecord, lost_ids: Collection[str]) -> FlowReport:
    """What became of a flow. `lost_ids`: of what the faults of links lost, as the journal has it."""
    verdict = _Verdict(record, Counts(sent=len(record.sent_s), acknowledged=record.acknowledged))
    verdict.read_arrivals()
    verdict.read_bounces()
    verdict.read_missing(lost_ids)
    return FlowReport(record.name, verdict.counts, verdict.examples)


class _Verdict:
    def __init__(self, record: FlowRecord, counts: Counts) -> None:
        self.counts = counts
        self.examples: list[Example] = []
        self._record = record
        self._arrived = bytearray(counts.sent)
        self._last_s = record.sent_s[0] if record.sent_s else 0.0
        self._highest = -1

    def read_arrivals(self) -> None:
        """Who came, when, in which order, and how often."""
        stanza_ids = array("q", bytes(8 * self.counts.sent))
        for sequence, stanza_id, at_s in self._record.arrivals:
            if not self._arrived[sequence]:
                self._arrived[sequence] = 1
                stanza_ids[sequence] = stanza_id
                self._first_arrival(sequence, at_s)
            elif stanza_id and stanza_id == stanza_ids[sequence]:
                self.counts.duplicated_same_id += 1
                self._example("duplicated, same stanza-id", sequence, f"again at {at_s:.3f} s")
            else:
                self.counts.duplicated += 1
                self._example("duplicated", sequence, f"again at {at_s:.3f} s, with another stanza-id")

    def _first_arrival(self, sequence: int, at_s: float) -> None:
        counts = self.counts
        counts.delivered += 1
        counts.longest_gap_s = max(counts.longest_gap_s, at_s - self._last_s)
        self._last_s = at_s
        if sequence < self._highest:
            counts.out_of_order += 1
            self._example("out of order", sequence, f"arrived at {at_s:.3f} s, behind number {self._highest}")
        self._highest = max(self._highest, sequence)

    def read_bounces(self) -> None:
        """Who came back."""
        self.counts.bounced = len(self._record.bounced)
        for sequence, condition in self._record.bounced.items():
            too = ", though it arrived" if self._arrived[sequence] else ""
            self._example("bounced", sequence, f"came back with {condition}{too}")

    def read_missing(self, lost_ids: Collection[str]) -> None:
        """Who neither arrived nor came back."""
        for sequence in range(self.counts.sent):
            if self._arrived[sequence] or sequence in self._record.bounced:
                continue
            if self._record.id(sequence) in lost_ids:
                self.counts.lost_by_fault += 1
                self._example("lost by a fault", sequence, "a fault of a link lost it, as it was told to")
            else:
                self.counts.lost += 1
                known = "acknowledged" if sequence < self._record.acknowledged else "not acknowledged"
                self._example("lost", sequence, f"{known} by its sender's server, and never seen again")

    def _example(self, fate: Fate, sequence: int, note: str) -> None:
        if sum(example.fate == fate for example in self.examples) < MAX_EXAMPLES:
            sent = f"number {sequence}, sent at {self._record.sent_s[sequence]:.3f} s"
            self.examples.append(Example(fate, self._record.id(sequence), f"{sent}; {note}"))


def lost_by_fault(hop: Hop) -> str:
    """The id of the stanza where the hop says that a fault of a link lost it; else nothing."""
    return hop.detail.partition(": ")[2] if hop.event is Event.LOST else ""
