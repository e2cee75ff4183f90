"""A report for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from cluster.lab.verify.report import Counts, Example, FlowReport, MemoryReport, Report
from cluster.trace.render import tree
from cluster.trace.terminal import safe_json, safe_line

_MIB = 1 << 20
_COLUMNS = (
    "sent", "acknowledged", "delivered", "bounced", "lost", "lost by a fault",
    "duplicated", "of these, same stanza-id", "out of order", "longest gap",
)  # fmt: skip


def cells(counts: Counts) -> list[str]:
    """The counts as the columns of a table."""
    numbers = [
        counts.sent, counts.acknowledged, counts.delivered, counts.bounced, counts.lost, counts.lost_by_fault,
        counts.duplicated + counts.duplicated_same_id, counts.duplicated_same_id, counts.out_of_order,
    ]  # fmt: skip
    return [*(f"{number:,}" for number in numbers), f"{counts.longest_gap_s:.2f} s"]


def json(reports: Sequence[Report]) -> str:
    """All reports, as a list."""
    return safe_json(msgspec.json.format(msgspec.json.encode(reports)).decode())


def rich(report: Report) -> RenderableType:
    """One report."""
    return Group(*_parts(report))


def _parts(report: Report) -> Iterator[RenderableType]:
    about = f": {report.about}" if report.about else ""
    yield f"{report.scenario}{about} (lab {report.lab}, {report.seconds:.1f} s)"
    for step in report.steps:
        yield f"  {step.at_s:6.2f} s  {step.what}, over at {step.at_s + step.took_s:.2f} s"
    yield Padding(_table(report), (0, 0, 0, 2), expand=False)
    if report.resumed or report.begun_anew:
        yield f"  streams that broke: {report.resumed} resumed, {report.begun_anew} begun anew"
    if report.memory:
        yield "  memory at start, middle and end: " + "; ".join(map(_memory, report.memory))
    for flow in report.flows:
        for example in flow.examples:
            yield from _example(flow, example)
    for promise in report.broken:
        yield safe_line(f"  BROKEN  {promise.text}")
    if not report.broken:
        yield "  all promises were kept"


def _table(report: Report) -> Table:
    table = Table("flow", *_COLUMNS, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for flow in report.flows:
        table.add_row(flow.name, *cells(flow.counts))
    if len(report.flows) > 1:
        table.add_row("all", *cells(report.total))
    return table


def _memory(node: MemoryReport) -> str:
    sizes = [f"{size / _MIB:.0f}" for size in (node.start_bytes, node.middle_bytes, node.end_bytes)]
    return f"{node.node} {' → '.join(sizes)} MiB"


def _example(flow: FlowReport, example: Example) -> Iterator[RenderableType]:
    yield safe_line(f"  {example.fate}, {flow.name}: {example.note}")
    if example.hops:
        yield Padding(tree(example.hops), (0, 0, 0, 4), expand=False)
