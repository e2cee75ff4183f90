"""What a run found: counts, examples, and the promises that were broken."""

from __future__ import annotations

from typing import Literal

import msgspec

from cluster.lab.verify.scenario import Promises
from cluster.trace.hop import Hop

Fate = Literal["lost", "lost by a fault", "bounced", "duplicated", "duplicated, same stanza-id", "out of order"]
"""What may become of a message, other than to arrive once and in its turn."""


class Example(msgspec.Struct):
    """One message that did not simply arrive."""

    fate: Fate
    trace_id: str
    note: str
    """When it was sent, and what is known of it."""
    hops: list[Hop] = []
    """Its route, as far as the journal has it."""


class Counts(msgspec.Struct):
    """Of one flow, or of all."""

    sent: int = 0
    acknowledged: int = 0
    """By the sender's server (XEP-0198)."""
    delivered: int = 0
    """Different messages that arrived."""
    bounced: int = 0
    """That came back as errors; one that arrived as well counts in both."""
    lost: int = 0
    lost_by_fault: int = 0
    duplicated: int = 0
    """Arrivals of a message that was there already, with another stanza-id."""
    duplicated_same_id: int = 0
    out_of_order: int = 0
    """Messages that arrived behind one that was sent later."""
    longest_gap_s: float = 0.0
    """Longest time without a new message, from the first one sent to the last one that arrived."""


class FlowReport(msgspec.Struct):
    """What became of one flow."""

    name: str
    counts: Counts
    examples: list[Example] = []


class StepReport(msgspec.Struct):
    """What was done, and when."""

    what: str
    at_s: float
    """Since the start of the run."""
    took_s: float
    """Until it showed: until a node that was killed answered again."""


class MemoryReport(msgspec.Struct):
    """Resident memory (RSS) of one node's process, in bytes."""

    node: str
    start_bytes: int
    middle_bytes: int
    end_bytes: int

    @property
    def growth(self) -> float:
        """From the middle of the run to its end: 0.1 is 10 %."""
        return self.end_bytes / self.middle_bytes - 1 if self.middle_bytes else 0.0


class BrokenPromise(msgspec.Struct):
    """One thing that should have held and did not."""

    promise: str
    text: str


class Report(msgspec.Struct):
    """A whole run."""

    scenario: str
    about: str
    lab: str
    seconds: float
    """From the first message until everything had settled."""
    flows: list[FlowReport]
    total: Counts
    steps: list[StepReport] = []
    memory: list[MemoryReport] = []
    resumed: int = 0
    """Streams of the clients that broke and were resumed (XEP-0198)."""
    begun_anew: int = 0
    """Streams that broke and could not be resumed."""
    broken: list[BrokenPromise] = []


def total(flows: list[FlowReport]) -> Counts:
    """All flows together; of the gaps, the longest."""
    whole = Counts()
    for flow in flows:
        for name in Counts.__struct_fields__:
            if name != "longest_gap_s":
                setattr(whole, name, getattr(whole, name) + getattr(flow.counts, name))
        whole.longest_gap_s = max(whole.longest_gap_s, flow.counts.longest_gap_s)
    return whole


def broken(promises: Promises, counts: Counts, memory: list[MemoryReport]) -> list[BrokenPromise]:
    """Which promises do not hold."""
    found = []
    for name in ("lost", "lost_by_fault", "bounced", "out_of_order", "duplicated", "duplicated_same_id"):
        limit, count = getattr(promises, name), getattr(counts, name)
        if limit is not None and count > limit:
            found.append(
                BrokenPromise(name, f"{name.replace('_', ' ')}: {count:,}, and at most {limit:,} were allowed")
            )
    if promises.longest_gap is not None and counts.longest_gap_s > promises.longest_gap:
        gap_s, limit_s = counts.longest_gap_s, promises.longest_gap
        found.append(BrokenPromise("longest_gap", f"{gap_s:.2f} s without an arrival, and {limit_s:g} s were allowed"))
    for node in memory if promises.memory_growth is not None else ():
        if promises.memory_growth is not None and node.growth > promises.memory_growth:
            text = f"{node.node} grew by {node.growth:.0%}, and {promises.memory_growth:.0%} were allowed"
            found.append(BrokenPromise("memory_growth", text))
    return found
