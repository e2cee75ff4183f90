"""Hops for people and programs. Pure: from hops to text, trees and dicts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from rich.text import Text
from rich.tree import Tree

from cluster.trace.hop import Event, Hop
from cluster.trace.terminal import safe_line


class Step(msgspec.Struct, frozen=True):
    """A hop and its place in time."""

    hop: Hop
    offset_ms: float
    """Since the first hop."""
    delta_ms: float
    """Since the previous hop."""


def steps(hops: Sequence[Hop]) -> list[Step]:
    """The hops of one stanza in the order of their times."""
    ordered = sorted(hops, key=lambda hop: hop.at_utc_ns)
    times = [hop.at_utc_ns for hop in ordered]
    return [
        Step(hop, (time - times[0]) / 1e6, (time - before) / 1e6)
        for hop, time, before in zip(ordered, times, times[:1] + times[:-1], strict=True)
    ]


def tree(hops: Sequence[Hop]) -> Tree:
    """The route: each node that the stanza came to, and below it the events there and their times."""
    all_steps = steps(hops)
    if not all_steps:
        return Tree("no hops")
    first, last = all_steps[0].hop, all_steps[-1]
    title = f"{first.kind} from {first.from_} to {first.to}, {last.offset_ms:.2f} ms, trace {first.trace_id}"
    root = Tree(Text(safe_line(title)))
    for name, visit in groupby(all_steps, key=lambda step: step.hop.node):
        branch = root.add(Text(safe_line(name)))
        for step in visit:
            branch.add(Text(safe_line(_line(step))))
    return root


def _line(step: Step) -> str:
    hop = step.hop
    line = f"{hop.event:<9} +{step.offset_ms:.2f} ms (Δ {step.delta_ms:.2f} ms), {hop.size_bytes} bytes"
    return f"{line}: {hop.detail}" if hop.detail else line


class Row(NamedTuple):
    """One line of a sequence diagram."""

    trace_id: str
    node: str
    event: str
    text: str


def mermaid(hops: Sequence[Hop]) -> str:
    """The hops as a sequence diagram; see `sequence_diagram`."""
    return sequence_diagram(
        Row(step.hop.trace_id, step.hop.node, step.hop.event, _timed(step)) for step in steps(hops)
    )  # fmt: skip


def _timed(step: Step) -> str:
    return f"{step.hop.event} +{step.offset_ms:.2f} ms" + (f" ({step.hop.detail})" if step.hop.detail else "")


def arrivals(rows: Iterable[Row]) -> Iterator[tuple[Row, str]]:
    """Each row, and the node from which the stanza came there; its own node where it was there already.

    A node may record an event after the stanza has left it, which is not a return. So only the first hop at a node
    counts as an arrival there, and any hop `received`.
    """
    places: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for row in rows:
        is_arrival = row.event == Event.RECEIVED or (row.trace_id, row.node) not in seen
        yield row, places.get(row.trace_id, row.node) if is_arrival else row.node
        if is_arrival or row.event == Event.SENT:
            places[row.trace_id] = row.node
        seen.add((row.trace_id, row.node))


def sequence_diagram(rows: Iterable[Row], verdict: tuple[str, str] | None = None) -> str:
    """A sequence diagram (https://mermaid.js.org): an arrow for each arrival of a stanza at another node, otherwise a
    note. `verdict`: a node, and what the last note over it says."""
    rows = [*rows]
    ids = {name: f"n{number}" for number, name in enumerate(dict.fromkeys(row.node for row in rows))}
    lines = ["sequenceDiagram", *(f"    participant {id} as {_plain(name)}" for name, id in ids.items())]
    for row, before in arrivals(rows):
        arrow = f"{ids[before]}->>{ids[row.node]}" if before != row.node else f"Note over {ids[row.node]}"
        lines.append(f"    {arrow}: {_plain(row.text)}")
    if verdict is not None:
        lines.append(f"    Note over {ids[verdict[0]]}: {_plain(verdict[1])}")
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """The text without characters that Mermaid interprets: `#` begins an entity, `;` and a line break end a
    statement."""
    return safe_line(re.sub(r"[#;\n]", lambda match: f"#{ord(match[0])};", text))


def utc_text(at_utc_ns: int) -> str:
    """A time in UTC as JSON has it (ISO 8601)."""
    return datetime.fromtimestamp(at_utc_ns / 1e9, UTC).isoformat(timespec="microseconds")


def as_dict(hop: Hop) -> dict[str, Any]:
    """A hop for JSON."""
    return {
        "trace_id": hop.trace_id,
        "node": hop.node,
        "event": str(hop.event),
        "at": utc_text(hop.at_utc_ns),
        "kind": hop.kind,
        "from": hop.from_,
        "to": hop.to,
        "size_bytes": hop.size_bytes,
        "detail": hop.detail,
    }


def dicts(hops: Sequence[Hop]) -> list[dict[str, Any]]:
    """For JSON: one dict for each hop, with its place in time."""
    return [
        {**as_dict(step.hop), "offset_ms": round(step.offset_ms, 3), "delta_ms": round(step.delta_ms, 3)}
        for step in steps(hops)
    ]
