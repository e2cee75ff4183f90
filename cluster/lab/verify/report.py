"""The results of a run: counts, examples, times, and the broken promises; docs/report.schema.json."""

from __future__ import annotations

from typing import Literal

import msgspec

from cluster.lab.verify.promises import EXPLAINED, Promises
from cluster.trace.hop import Hop

Fate = Literal[
    "delivered", "lost", "lost by a fault", "bounced", "altered", "misdelivered", "duplicated",
    "duplicated, same stanza-id", "out of order",
]  # fmt: skip
"""The fate of a stanza."""


class Example(msgspec.Struct):
    """One stanza that did not simply arrive. `note`: when it was sent, and further details; `hops`: its route, as far
    as the journal has it."""

    fate: Fate
    trace_id: str
    note: str
    hops: list[Hop] = []


class Counts(msgspec.Struct):
    """Counts of one flow at one leg, or of all. `acknowledged`: by the sender's server (XEP-0198). `delivered`:
    different stanzas that arrived as they were sent. `bounced`: returned as errors. `lost`: neither arrived nor
    returned. `lost_by_fault`: by a `loss` fault that the checker knows of. `altered`: arrivals that differ from what
    was sent. `misdelivered`: reached somebody else. `duplicated`: repeated arrivals, with another stanza-id or none;
    `duplicated_same_id`: with the same one; `unexplained`: of these, those that no crash, broken connection or fault
    explains. `out_of_order`: arrived after one that was sent later. `under_way`: of a run that was interrupted, not
    judged. `longest_gap_s`: longest time without a new arrival while something was under way."""

    sent: int = 0
    acknowledged: int = 0
    delivered: int = 0
    bounced: int = 0
    lost: int = 0
    lost_by_fault: int = 0
    altered: int = 0
    misdelivered: int = 0
    duplicated: int = 0
    duplicated_same_id: int = 0
    unexplained: int = 0
    out_of_order: int = 0
    under_way: int = 0
    longest_gap_s: float = 0.0


class Latency(msgspec.Struct):
    """From the write of the sender's client to the arrival at the receiver's, in milliseconds; percentiles of the
    stanzas that arrived."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float


class Silence(msgspec.Struct):
    """A time without a new arrival while something was under way. `at_s`: since the start of the run."""

    at_s: float
    seconds: float


class FlowReport(msgspec.Struct):
    """The results of one flow at one leg; `is_first`: its delivery. Others are carbons, archives and the answers to iq
    requests."""

    name: str
    counts: Counts
    examples: list[Example] = []
    latency: Latency | None = None
    silences: list[Silence] = []
    is_first: bool = True


class StepReport(msgspec.Struct):
    """A step, and its times: `at_s` since the start of the run; `took_s`: until its effect, such as until a killed node
    was ready again."""

    what: str
    at_s: float
    took_s: float


class BreakReport(msgspec.Struct):
    """A broken connection of a client. `away_s`: until its stream was back, None if it never was. `resumed`: the stream
    was resumed (XEP-0198); otherwise a new session began. `tries`: failed attempts; `sent_again`: stanzas that had to
    be sent again."""

    client: str
    at_s: float
    away_s: float | None
    resumed: bool
    tries: int
    sent_again: int


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
    """One promise that was broken."""

    promise: str
    text: str


class Report(msgspec.Struct):
    """A whole run. `seconds`: from the first stanza until everything had settled. `seed`: of the random choices of
    steps. `resumed` and `new_sessions`: of broken streams of the clients. `broken`: broken promises; `expected`: those
    that the scenario expects to be broken; `failures`: what makes the run fail. `is_complete`: False if it was
    interrupted."""

    scenario: str
    about: str
    lab: str
    seconds: float
    flows: list[FlowReport]
    total: Counts
    seed: int = 0
    steps: list[StepReport] = []
    memory: list[MemoryReport] = []
    resumed: int = 0
    new_sessions: int = 0
    breaks: list[BreakReport] = []
    broken: list[BrokenPromise] = []
    expected: list[str] = []
    failures: list[BrokenPromise] = []
    is_complete: bool = True


_OF_DELIVERY = ("sent", "acknowledged", "delivered", "longest_gap_s")
"""Counted at the delivery of a flow: a carbon is not a further message."""


def total(flows: list[FlowReport]) -> Counts:
    """All flows together; of the gaps, the longest."""
    whole = Counts()
    for flow in flows:
        for name in Counts.__struct_fields__:
            if name in _OF_DELIVERY and not flow.is_first:
                continue
            one, other = getattr(whole, name), getattr(flow.counts, name)
            setattr(whole, name, max(one, other) if name == "longest_gap_s" else one + other)
    return whole


BREAKING = ("lost", "bounced", "altered", "misdelivered", "out_of_order", "duplicated", "unexplained")
"""Counts that are 0 if nothing is broken."""

_COUNTED = ("lost", "lost_by_fault", "bounced", "altered", "misdelivered", "out_of_order", "duplicated")


def broken(promises: Promises, counts: Counts, memory: list[MemoryReport]) -> list[BrokenPromise]:
    """The broken promises."""
    found = [over for name in _COUNTED if (over := _over(name, getattr(counts, name), getattr(promises, name)))]
    limit = promises.duplicated_same_id
    if limit == EXPLAINED:
        if counts.unexplained:
            text = f"duplicated with the same stanza-id: {counts.unexplained:,} that nothing which was broken explains"
            found.append(BrokenPromise("duplicated_same_id", text))
    elif over := _over("duplicated_same_id", counts.duplicated_same_id, limit):
        found.append(over)
    if promises.longest_gap is not None and counts.longest_gap_s > promises.longest_gap:
        gap_s, limit_s = counts.longest_gap_s, promises.longest_gap
        found.append(BrokenPromise("longest_gap", f"{gap_s:.2f} s without an arrival, and {limit_s:g} s were allowed"))
    for node in memory if promises.memory_growth is not None else ():
        if promises.memory_growth is not None and node.growth > promises.memory_growth:
            text = f"{node.node} grew by {node.growth:.0%}, and {promises.memory_growth:.0%} were allowed"
            found.append(BrokenPromise("memory_growth", text))
    return found


def failures(found: list[BrokenPromise], expected: list[str], is_complete: bool = True) -> list[BrokenPromise]:
    """Promises that are broken unexpectedly, and at the end of a run those that were to be broken and are not."""
    kept = [name for name in expected if is_complete and name not in {each.promise for each in found}]
    unexpected = [each for each in found if each.promise not in expected]
    return unexpected + [
        BrokenPromise(name, f"{name.replace('_', ' ')}: was to be broken, and was kept") for name in kept
    ]


def _over(name: str, count: int, limit: int | None) -> BrokenPromise | None:
    if limit is None or count <= limit:
        return None
    return BrokenPromise(name, f"{name.replace('_', ' ')}: {count:,}, and at most {limit:,} were allowed")
