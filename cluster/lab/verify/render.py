"""A report for people and for programs."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import TextIO

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from cluster.lab.verify.checker import Checker
from cluster.lab.verify.report import BreakReport, Counts, Example, MemoryReport, Report
from cluster.trace.render import tree
from cluster.trace.terminal import safe_json, safe_line

_MIB = 1 << 20
_SAME_ID = "of these, same stanza-id"
COUNTED = (
    "sent", "acknowledged", "delivered", "bounced", "lost", "lost by a fault", "altered", "misdelivered",
    "duplicated", _SAME_ID, "out of order", "longest gap",
)  # fmt: skip
_ALWAYS = ("sent", "delivered", "bounced", "lost", "longest gap")
_TIMES = ("p50", "p90", "p99", "p99.9", "max")
_MAX_SILENCES = 20
"""Silences that are shown; a report for programs has all."""

CSV_COLUMNS = ("scenario", "flow", "number", "id", "sent_s", "arrived_s", "latency_ms", "fate", "note")


def cells(counts: Counts) -> list[str]:
    """The counts as the columns of a table."""
    numbers = [
        counts.sent, counts.acknowledged, counts.delivered, counts.bounced, counts.lost, counts.lost_by_fault,
        counts.altered, counts.misdelivered,
        counts.duplicated + counts.duplicated_same_id, counts.duplicated_same_id, counts.out_of_order,
    ]  # fmt: skip
    return [*(f"{number:,}" for number in numbers), f"{counts.longest_gap_s:.2f} s"]


def json(reports: Sequence[Report]) -> str:
    """All reports, as a list; docs/report.schema.json."""
    return safe_json(msgspec.json.format(msgspec.json.encode(reports)).decode())


def write_csv(file: TextIO, scenario: str, checkers: Sequence[Checker], *, with_head: bool) -> None:
    """One row for each stanza at each leg."""
    writer = csv.writer(file)
    if with_head:
        writer.writerow(CSV_COLUMNS)
    for checker in checkers:
        flow = checker.leg.flow
        for number, sent_s in enumerate(flow.sent_s):
            if checker.leg.awaits(number) or number in checker.fates:
                has_arrived = checker.leg.has(number)
                arrived_s = checker.arrived_s[number] if has_arrived else 0.0
                times = (f"{arrived_s:.6f}", f"{1000 * (arrived_s - sent_s):.3f}") if has_arrived else ("", "")
                fate, note = checker.fates.get(number, ("delivered", ""))
                head = (scenario, checker.leg.name, number, flow.id(number), f"{sent_s:.6f}")
                writer.writerow([*head, *times, fate, note])


def rich(report: Report) -> RenderableType:
    """One report."""
    return Group(*_parts(report))


def _parts(report: Report) -> Iterator[RenderableType]:
    about = f": {report.about}" if report.about else ""
    end = "" if report.is_complete else ", interrupted"
    yield f"{report.scenario}{about} (lab {report.lab}, {report.seconds:.1f} s, seed {report.seed}{end})"
    for step in report.steps:
        yield f"  {step.at_s:6.2f} s  {step.what}, over at {step.at_s + step.took_s:.2f} s"
    shown = _shown_columns(report)
    yield Padding(_table(report, shown), (0, 0, 0, 2), expand=False)
    if none := [name for name in COUNTED if name not in shown and name != _SAME_ID]:
        yield f"  0 in every flow: {', '.join(none)}"
    yield from _times(report)
    for each in report.breaks:
        yield _break(each)
    if report.memory:
        yield "  memory at start, middle and end: " + "; ".join(map(_memory, report.memory))
    yield from _examples(report)
    yield from _verdict(report)


def _examples(report: Report) -> Iterator[RenderableType]:
    """All examples; where no promise is broken, one of each fate, since they are as they may be."""
    fates: set[str] = set()
    left = 0
    for flow in report.flows:
        for example in flow.examples:
            if example.fate in fates and not report.broken and not report.failures:
                left += 1
                continue
            fates.add(example.fate)
            yield from route(flow.name, example)
    if left:
        yield f"  {left:,} more examples of what may happen here are in the output of `--format json`"


def _verdict(report: Report) -> Iterator[RenderableType]:
    """The kept and broken promises."""
    if report.total.under_way:
        yield f"  {report.total.under_way:,} were still under way at the end, and are not judged"
    failed = {promise.promise for promise in report.failures}
    for promise in report.broken:
        word = "BROKEN" if promise.promise in failed else "as expected, broken"
        yield safe_line(f"  {word}  {promise.text}")
    for promise in report.failures:
        if promise not in report.broken:
            yield safe_line(f"  NOT BROKEN  {promise.text}")
    if not report.broken and not report.failures:
        yield "  all promises were kept" + ("" if report.is_complete else " so far")


def _shown_columns(report: Report) -> list[str]:
    """Those that a reader looks for, and those that count something: the others would take the names' place."""
    counts = (report.total, *(flow.counts for flow in report.flows))
    counted = [dict(zip(COUNTED, cells(each), strict=True)) for each in counts]
    return [name for name in COUNTED if name in _ALWAYS or any(each[name] != "0" for each in counted)]


def _table(report: Report, shown: Sequence[str]) -> Table:
    table = Table("flow", *shown, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    rows = [(flow.name, flow.counts) for flow in report.flows]
    for name, counts in [*rows, ("all", report.total)] if len(rows) > 1 else rows:
        found = dict(zip(COUNTED, cells(counts), strict=True))
        table.add_row(name, *(found[each] for each in shown))
    return table


def _times(report: Report) -> Iterator[RenderableType]:
    table = Table("latency in ms", *_TIMES, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for flow in report.flows:
        if flow.latency is not None:
            table.add_row(flow.name, *(f"{value:,.1f}" for value in msgspec.structs.astuple(flow.latency)))
    if table.row_count:
        yield Padding(table, (0, 0, 0, 2), expand=False)
    for flow in report.flows:
        if flow.silences:
            shown = [f"{each.seconds:.2f} s from {each.at_s:.2f} s on" for each in flow.silences[:_MAX_SILENCES]]
            more = len(flow.silences) - len(shown)
            yield f"  silences, {flow.name}: {', '.join(shown)}" + (f" and {more} more" if more else "")


def _break(each: BreakReport) -> str:
    if each.away_s is None:
        return f"  {each.at_s:6.2f} s  the stream of {each.client} broke, and never came back ({each.tries} tries)"
    how = "was resumed" if each.resumed else "could not be resumed: a new session began"
    cost = f"after {each.away_s:.2f} s and {each.tries} failed tries, {each.sent_again:,} stanzas sent again"
    return f"  {each.at_s:6.2f} s  the stream of {each.client} broke and {how}: {cost}"


def _memory(node: MemoryReport) -> str:
    sizes = [f"{size / _MIB:.0f}" for size in (node.start_bytes, node.middle_bytes, node.end_bytes)]
    return f"{node.node} {' → '.join(sizes)} MiB"


def route(flow: str, example: Example) -> Iterator[RenderableType]:
    """One stanza that did not simply arrive, with its route."""
    yield safe_line(f"  {example.fate}, {flow}: {example.note}")
    if example.hops:
        yield Padding(tree(example.hops), (0, 0, 0, 4), expand=False)
