"""The lab over time, as the page shows it, from the time line that the lab records. Bounded."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from cluster.base.histogram import Histogram
from cluster.lab.api import Lab
from cluster.lab.timeline.rows import Mark, Row
from cluster.trace.stretches import ARROW

MAX_SAMPLES = 3_600
"""An hour; the time line itself goes further back."""
MAX_MARKS = 500
LATE_S = 10.0


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """The lab over about a second, for charts."""

    at_utc_s: float
    stanzas_per_s: float
    """Those that are followed."""
    batches_per_s: float
    """Over all links."""
    failures_per_s: float
    p50_ms: float | None
    """Percentiles of the times over links; None without any."""
    p99_ms: float | None
    waiting: int
    """Batches on all links."""
    cpu_percent: float
    """Of one core, of all nodes together."""
    memory_bytes: int


class History:
    """The newest samples and marks. `read` is for one thread; the others see what it has read."""

    def __init__(self, lab: Lab) -> None:
        self.samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        self.marks: deque[Mark] = deque(maxlen=MAX_MARKS)
        self._timeline = lab.timeline.reader()

    def read(self) -> None:
        """Take what is new in the time line."""
        for entry in self._timeline.entries():
            if isinstance(entry, Row):
                self.samples.append(sample(entry))
            else:
                self.marks.append(entry)

    @property
    def newest_utc_s(self) -> float:
        """The end of the newest sample; 0 without any."""
        return self.samples[-1].at_utc_s if self.samples else 0.0

    def since(self, at_utc_s: float) -> dict[str, Any]:
        """The samples after this moment, oldest first, and the marks: also those of LATE_S before it, for one may be
        written after the row that follows it."""
        return {
            "samples": [each for each in list(self.samples) if each.at_utc_s > at_utc_s],
            "marks": [(each.at_utc_s, each.what) for each in list(self.marks) if each.at_utc_s > at_utc_s - LATE_S],
        }


def sample(row: Row) -> Sample:
    """A row of the time line as one point of each chart."""
    times = Histogram()
    for stretch, some in row.times.items():
        if ARROW in stretch:
            times.merge(some.counts)
    nodes, links = row.nodes.values(), row.links.values()
    written = sum(link.written for link in links)
    return Sample(
        row.at_utc_s, _rate(row.stanzas, row), _rate(written, row), _rate(row.failures, row),
        _rounded(times.percentile_ms(0.5)), _rounded(times.percentile_ms(0.99)),
        sum(link.waiting for link in links),
        round(sum(node.cpu_percent or 0.0 for node in nodes), 1), sum(node.memory_bytes or 0 for node in nodes),
    )  # fmt: skip


def moment(row: Row) -> dict[str, Any]:
    """A row of the time line as the map shows it, by the names of the values of now (`cluster.web.live`)."""
    state: dict[str, Any] = {f"node {name}": {"name": name, "state": node.state} for name, node in row.nodes.items()}
    for name, link in row.links.items():
        from_, _, to = name.partition(ARROW)
        ends = {"from": from_, "to": to, "written": link.written, "waiting": link.waiting, "faults": link.faults}
        state[f"link {from_} {to}"] = ends
    for stretch, times in row.times.items():
        from_, arrow, to = stretch.partition(ARROW)
        if arrow:
            crossed = {"stanzas": _rate(times.total, row), "ms": _rounded(times.percentile_ms(0.5))}
            state[f"line {from_} {to}"] = crossed
    return state


def _rate(count: int, row: Row) -> float:
    return round(count / row.took_s, 2) if row.took_s else 0.0


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)
