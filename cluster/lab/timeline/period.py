"""A part of a lab's time line, second by second, beside what a run has measured in it; as a table, and for programs."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from math import floor
from typing import Any, TextIO

import msgspec

from cluster.base.histogram import Histogram, Measured
from cluster.lab.timeline.rows import LinkRow, Mark, NodeRow, Recorded, Row
from cluster.trace.stretches import ARROW

PERCENTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}


class Total(msgspec.Struct, frozen=True):
    """The times of one kind; None where there are none. Exact to 2.5 %."""

    name: str
    """What was measured, such as `deliver local`; a node, `s1`; or `link s1→s2`."""
    count: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class Times(msgspec.Struct, frozen=True):
    """The times of one kind in one second."""

    count: int
    p50_ms: float | None
    p99_ms: float | None
    failed: int = 0


class Second(msgspec.Struct, frozen=True):
    """One second."""

    second: int
    """Since the beginning."""
    measured: dict[str, Times] = {}
    """Of what began in this second, such as messages that were due in it: they may have arrived later."""
    hops: dict[str, Times] = {}
    """Of followed stanzas that left the node or the link in this second."""
    links: dict[str, LinkRow] = {}
    """Those with traffic, a backlog or faults."""
    nodes: dict[str, NodeRow] = {}


class Period(msgspec.Struct, frozen=True):
    """All of it."""

    title: str
    lab: str
    begin_utc_s: int
    measured: list[Total]
    hops: list[Total]
    """Where the time went, of followed stanzas."""
    seconds: list[Second]
    marks: list[Mark]


def period(
    title: str, lab: str, recorded: Recorded, begin_utc_s: float, end_utc_s: float, measured: Measured
) -> Period:
    """What was recorded and measured from `begin_utc_s` to `end_utc_s`."""
    begin, end = floor(begin_utc_s), floor(end_utc_s)
    rows = {at: row for row in recorded.rows if begin <= (at := _second(row)) <= end}
    over_all: dict[str, Histogram] = {}
    for row in rows.values():
        for stretch, times in row.times.items():
            over_all.setdefault(stretch, Histogram()).merge(times.counts)
    found = []
    for at in sorted({*rows, *(at for seconds in measured.values() for at in seconds if at >= begin)}):
        own = {
            name: _times(outcomes.times, outcomes.failed)
            for name, seconds in measured.items()
            if (outcomes := seconds.get(at)) is not None
        }
        if at in rows:
            hops = {_label(name): _times(times) for name, times in rows[at].times.items()}
            found.append(Second(at - begin, own, hops, rows[at].links, rows[at].nodes))
        else:
            found.append(Second(at - begin, own))
    return Period(
        title, lab, begin,
        [_measured_total(name, measured[name]) for name in sorted(measured)],
        [_total(_label(name), over_all[name]) for name in sorted(over_all, key=_along_the_way)],
        found,
        [mark for mark in recorded.marks if begin <= mark.at_utc_s < end + 1],
    )  # fmt: skip


def alone(title: str, begin_utc_s: float, end_utc_s: float, measured: Measured) -> Period:
    """What was measured of servers that are in no lab."""
    return period(title, "", Recorded([], []), begin_utc_s, end_utc_s, measured)


def _second(row: Row) -> int:
    """A row is written at the end of its second, or a little later."""
    return round(row.at_utc_s) - 1


def _along_the_way(stretch: str) -> list[list[tuple[int, str]]]:
    """Before the links of a node the node itself; s2 before s10."""
    parts = (re.findall(r"\d+|\D+", name) for name in stretch.split(ARROW))
    return [[(int(part), "") if part.isdigit() else (-1, part) for part in name] for name in parts]


def _label(stretch: str) -> str:
    return f"link {stretch}" if ARROW in stretch else stretch


def _total(name: str, times: Histogram, failed: int = 0) -> Total:
    return Total(name, times.total, failed, *(_rounded(times.percentile_ms(share)) for share in PERCENTILES.values()))


def _measured_total(name: str, seconds: Mapping[int, Any]) -> Total:
    times, failed = Histogram(), 0
    for outcomes in seconds.values():
        times.merge(outcomes.times.counts)
        failed += outcomes.failed
    return _total(name, times, failed)


def _times(times: Histogram, failed: int = 0) -> Times:
    return Times(times.total, _rounded(times.percentile_ms(0.5)), _rounded(times.percentile_ms(0.99)), failed)


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else float(f"{ms:.3g}")


def write_csv(file: TextIO, shown: Period) -> None:
    """One row for each second; what has no value in it is empty."""
    rows = [dict(_cells(shown, second)) for second in shown.seconds]
    columns = dict.fromkeys(("second", "utc_s", "marks"))
    names = sorted({name for row in rows for name in row} - columns.keys())
    writer = csv.DictWriter(file, [*columns, *names])
    writer.writeheader()
    writer.writerows(rows)


def _cells(shown: Period, second: Second) -> Iterator[tuple[str, Any]]:
    at = shown.begin_utc_s + second.second
    yield "second", second.second
    yield "utc_s", at
    yield "marks", "; ".join(mark.what for mark in shown.marks if floor(mark.at_utc_s) == at)
    for name, times in (*second.measured.items(), *second.hops.items()):
        yield f"{name} count", times.count
        yield f"{name} p50_ms", times.p50_ms
        yield f"{name} p99_ms", times.p99_ms
    for name, times in second.measured.items():
        yield f"{name} failed", times.failed
    for name, link in second.links.items():
        yield f"{_label(name)} batches", link.written
        yield f"{_label(name)} waiting", link.waiting
        yield f"{_label(name)} faults", ", ".join(f"{key} {text}" for key, text in link.faults.items())
    for name, node in second.nodes.items():
        yield f"{name} state", node.state
        yield f"{name} cpu_percent", node.cpu_percent
        yield f"{name} memory_bytes", node.memory_bytes
