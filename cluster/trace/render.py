"""Hops for people and programs. Pure: from hops to text, trees and dicts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

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


def mermaid(hops: Sequence[Hop]) -> str:
    """A sequence diagram (https://mermaid.js.org): an arrow for each arrival of the stanza at another node, otherwise a
    note.

    A node may record an event after the stanza has left it, which is not a return. So only the first hop at a node
    counts as an arrival there, and any hop `received`.
    """
    all_steps = steps(hops)
    ids = {name: f"n{number}" for number, name in enumerate(dict.fromkeys(step.hop.node for step in all_steps))}
    lines = ["sequenceDiagram"]
    lines += [f"    participant {id} as {plain(name)}" for name, id in ids.items()]
    places: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for step in all_steps:
        hop, here = step.hop, ids[step.hop.node]
        before = places.get(hop.trace_id, here)
        is_arrival = hop.event is Event.RECEIVED or (hop.trace_id, here) not in seen
        arrow = f"{before}->>{here}" if is_arrival and before != here else f"Note over {here}"
        if is_arrival or hop.event is Event.SENT:
            places[hop.trace_id] = here
        seen.add((hop.trace_id, here))
        what = f"{hop.event} +{step.offset_ms:.2f} ms" + (f" ({hop.detail})" if hop.detail else "")
        lines.append(f"    {arrow}: {plain(what)}")
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
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
