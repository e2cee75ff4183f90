"""Hops as people and programs want to see them. Pure: from hops to text, trees and dicts."""

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

SENDER = "C1"
RECEIVER = "C3"
"""The ends of the route (RFC 3920 section 2.1); the command that sends a probe writes their hops."""


class Step(msgspec.Struct, frozen=True):
    """A hop and its place in time."""

    hop: Hop
    offset_ms: float
    """Since the first hop."""
    delta_ms: float
    """Since the hop before."""


def steps(hops: Sequence[Hop]) -> list[Step]:
    """The hops of one stanza in the order of their times."""
    ordered = sorted(hops, key=lambda hop: hop.at_utc_ns)
    times = [hop.at_utc_ns for hop in ordered]
    return [
        Step(hop, (time - times[0]) / 1e6, (time - before) / 1e6)
        for hop, time, before in zip(ordered, times, times[:1] + times[:-1], strict=True)
    ]


def node_name(hop: Hop) -> str:
    """`s1`, or an end of the route with its address: `C1 romeo@montague.lit/pda`."""
    if hop.node not in (SENDER, RECEIVER):
        return hop.node
    return f"{hop.node} {hop.to if hop.event is Event.RECEIVED else hop.from_}"


def tree(hops: Sequence[Hop]) -> Tree:
    """The route: each node that the stanza came to, and below it what happened there and when."""
    all_steps = steps(hops)
    if not all_steps:
        return Tree("no hops")
    first, last = all_steps[0].hop, all_steps[-1]
    title = f"{first.kind} from {first.from_} to {first.to}, {last.offset_ms:.2f} ms, trace {first.trace_id}"
    root = Tree(Text(safe_line(title)))
    for name, visit in groupby(all_steps, key=lambda step: node_name(step.hop)):
        branch = root.add(Text(safe_line(name)))
        for step in visit:
            branch.add(Text(safe_line(_line(step))))
    return root


def _line(step: Step) -> str:
    hop = step.hop
    line = f"{hop.event:<9} +{step.offset_ms:.2f} ms (Δ {step.delta_ms:.2f} ms), {hop.size_bytes} bytes"
    return f"{line}: {hop.detail}" if hop.detail else line


def mermaid(hops: Sequence[Hop]) -> str:
    """A sequence diagram (https://mermaid.js.org): an arrow where the stanza came to another node, else a note."""
    all_steps = steps(hops)
    names = dict.fromkeys(node_name(step.hop) for step in all_steps)
    ids = {name: f"n{number}" for number, name in enumerate(names)}
    lines = ["sequenceDiagram"]
    lines += [f"    participant {id} as {_plain(name)}" for name, id in ids.items()]
    before = ""
    for step in all_steps:
        here = ids[node_name(step.hop)]
        what = f"{step.hop.event} +{step.offset_ms:.2f} ms"
        if step.hop.detail:
            what += f" ({step.hop.detail})"
        arrow = f"{before}->>{here}" if before not in ("", here) else f"Note over {here}"
        lines.append(f"    {arrow}: {_plain(what)}")
        before = here
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Without what Mermaid reads as its own: `#` begins an entity, `;` and a line break end a statement."""
    return safe_line(re.sub(r"[#;\n]", lambda match: f"#{ord(match[0])};", text))


def dicts(hops: Sequence[Hop]) -> list[dict[str, Any]]:
    """For JSON: one dict for each hop."""
    return [
        {
            "trace_id": step.hop.trace_id,
            "node": step.hop.node,
            "event": str(step.hop.event),
            "at": datetime.fromtimestamp(step.hop.at_utc_ns / 1e9, UTC).isoformat(),
            "offset_ms": round(step.offset_ms, 3),
            "delta_ms": round(step.delta_ms, 3),
            "kind": step.hop.kind,
            "from": step.hop.from_,
            "to": step.hop.to,
            "size_bytes": step.hop.size_bytes,
            "detail": step.hop.detail,
        }
        for step in steps(hops)
    ]
