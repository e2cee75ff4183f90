"""What a run found: counts, examples, times, and the promises that were broken; docs/report.schema.json."""

from __future__ import annotations

from typing import Literal

import msgspec

from cluster.lab.verify.promises import EXPLAINED, Promises
from cluster.trace.hop import Hop

Fate = Literal[
    "delivered", "lost", "lost by a fault", "bounced", "altered", "misdelivered", "duplicated",
    "duplicated, same stanza-id", "out of order",
]  # fmt: skip
"""What became of a stanza."""


class Example(msgspec.Struct):
    """One stanza that did not simply arrive. `note`: when it was sent, and what is known of it; `hops`: its route, as
    far as the journal has it."""

    fate: Fate
    trace_id: str
    note: str
    hops: list[Hop] = []


class Counts(msgspec.Struct):
    """Of one flow at one place, or of all. `acknowledged`: by the sender's server (XEP-0198). `delivered`: different
    stanzas that arrived as they were sent. `bounced`: that came back as errors. `lost`: that neither arrived nor came
    back. `lost_by_fault`: by a `loss` fault that the checker knows of. `altered`: arrivals that differ from what was
    sent. `misdelivered`: that somebody else got. `duplicated`: arrivals of a stanza that was there already, with
    another stanza-id or none; `duplicated_same_id`: with the same one; `unexplained`: of these, those that no crash,
    broken connection or fault explains. `out_of_order`: arrived after one that was sent later. `under_way`: of
    a run that was ended by hand, not judged. `longest_gap_s`: longest
    time without a new arrival while something was under way."""

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
    """From when the sender's client wrote a stanza until the receiver's had it, in milliseconds; percentiles of those
    that arrived."""

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
    """What became of one flow at one place; `is_first`: where it is delivered. Others are carbons, archives and the
    answers to iq requests."""

    name: str
    counts: Counts
    examples: list[Example] = []
    latency: Latency | None = None
    silences: list[Silence] = []
    is_first: bool = True


class StepReport(msgspec.Struct):
    """What was done, and when: `at_s` since the start of the run; `took_s`: until it showed, such as until a node that
    was killed answered again."""

    what: str
    at_s: float
    took_s: float


class BreakReport(msgspec.Struct):
    """A connection of a client that broke. `away_s`: until its stream was back, None where it never was. `resumed`: the
    stream went on (XEP-0198); else a new session began. `tries`: that failed; `sent_again`: stanzas that had to be."""

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
    """One thing that should have held and did not."""

    promise: str
    text: str


class Report(msgspec.Struct):
    """A whole run. `seconds`: from the first stanza until everything had settled. `seed`: chose what steps chose at
    random. `resumed` and `new_sessions`: streams of the clients that broke. `broken`: promises that do not hold;
    `expected`: those that the scenario wants broken; `failures`: what makes the run fail."""

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


_OF_DELIVERY = ("sent", "acknowledged", "delivered", "longest_gap_s")
"""Counted where a flow is delivered: a carbon is no further message."""


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
"""Counts of which there is none where all is well."""

_COUNTED = ("lost", "lost_by_fault", "bounced", "altered", "misdelivered", "out_of_order", "duplicated")


def broken(promises: Promises, counts: Counts, memory: list[MemoryReport]) -> list[BrokenPromise]:
    """Which promises do not hold."""
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


def failures(found: list[BrokenPromise], expected: list[str]) -> list[BrokenPromise]:
    """Promises that are broken and were not to be, and those that were to be and are not."""
    kept = [name for name in expected if name not in {each.promise for each in found}]
    unexpected = [each for each in found if each.promise not in expected]
    return unexpected + [
        BrokenPromise(name, f"{name.replace('_', ' ')}: was to be broken, and was kept") for name in kept
    ]


def _over(name: str, count: int, limit: int | None) -> BrokenPromise | None:
    if limit is None or count <= limit:
        return None
    return BrokenPromise(name, f"{name.replace('_', ' ')}: {count:,}, and at most {limit:,} were allowed")
