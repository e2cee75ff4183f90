"""Why a stanza went the way it went: what each hop decided, and which hop took the time. Pure: from hops to answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

import msgspec

from cluster.base import reasons
from cluster.base.reasons import Reason
from cluster.trace.hop import Event, Hop
from cluster.trace.render import Row, Step, sequence_diagram, steps, utc_text

Outcome = Literal["delivered", "stored", "bounced", "dropped", "lost", "taken", "waits"]
"""`taken`: a server or gateway has it, and records no further hop of it."""

LATE_MS = 10.0
"""A step that takes less is not worth a word."""
LONG_MS = 500.0
"""A step that takes more is late where it is not known what it usually takes."""
LATE_FACTOR = 4.0
"""A step is late where it takes this many times what it usually does."""
_ENOUGH = 5
"""Steps of a kind that say what is usual."""

_FAILURES = (Event.BOUNCED, Event.DROPPED, Event.LOST)
_DID = {
    Event.SENT: "sent it",
    Event.RECEIVED: "received it",
    Event.ROUTED: "sent it on",
    Event.ENQUEUED: "put it into the queue",
    Event.DEQUEUED: "took it out of the queue",
    Event.DELIVERED: "delivered it",
    Event.STORED: "stored it",
    Event.BOUNCED: "sent it back",
    Event.DROPPED: "dropped it",
    Event.LOST: "lost it",
}

StepKind = tuple[str, str, str, str]
"""Node and event of a hop, and of the one before it."""


class Decision(msgspec.Struct, frozen=True):
    """What one hop did with the stanza."""

    node: str
    event: str
    offset_ms: float
    """Time after the first hop."""
    delta_ms: float
    """Time after the previous hop."""
    usual_ms: float | None
    """What this step takes as a rule; None where too few such steps are in the journal."""
    is_late: bool
    size_bytes: int
    what: str
    """In words."""
    reason: str
    """The code of the decision (docs/why.md); empty where the stanza just went on."""
    rule: str
    remedy: str


class Explanation(msgspec.Struct, frozen=True):
    """The answer of `why` about one stanza."""

    trace_id: str
    kind: str
    from_: str = msgspec.field(name="from")
    to: str
    at: str
    """When the first hop was recorded, in UTC (ISO 8601)."""
    outcome: Outcome
    where: str
    """The node that decided it, or where the stanza is."""
    what: str
    """Why, in words."""
    reason: str
    """The code of the decision (docs/why.md); empty for a stanza that was delivered in the usual time."""
    rule: str
    remedy: str
    decisions: list[Decision]


class Cause(msgspec.Struct, frozen=True):
    """One thing that holds up a stanza now."""

    reason: Reason
    detail: str
    """What of the lab it is: `s2 is paused`."""


def usual_ms(traces: Iterable[Sequence[Hop]]) -> dict[StepKind, float]:
    """What each kind of step takes as a rule, of stanzas that were followed."""
    found: dict[StepKind, list[float]] = defaultdict(list)
    for hops in traces:
        for kind, step in _kinds(hops):
            found[kind].append(step.delta_ms)
    return {kind: median(times) for kind, times in found.items() if len(times) >= _ENOUGH}


def explain(hops: Sequence[Hop], usual: Mapping[StepKind, float], causes: Sequence[Cause] = ()) -> Explanation:
    """Explain a stanza by its hops, of which there is at least one.

    `usual`: see `usual_ms`; `causes`: what is in the way now, where the stanza is not at its end.
    """
    decisions = [_decision(step, usual.get(kind)) for kind, step in _kinds(hops)]
    ordered = [step.hop for step in steps(hops)]
    end, copies = _end(ordered), _copies(ordered)
    where = (end or ordered[-1]).node
    reason: Reason | None
    if _is_taken(end, ordered):
        reason, what = reasons.TAKEN, reasons.TAKEN.what
    elif end is None:
        last = reasons.ALL.get(ordered[-1].reason)
        if last is not None:
            causes = [Cause(last, ordered[-1].detail)]
        cause = causes[0] if causes else Cause(reasons.ON_ITS_WAY, "")
        known = "; ".join(each.detail for each in causes if each.detail)
        reason, what = cause.reason, f"{cause.reason.what} ({known})" if known else cause.reason.what
    elif copies is not None and copies.reason is not None:
        reason, what = copies.reason, ""
    else:
        reason, what = _why(end, decisions)
    if copies is not None:
        what = f"{copies.text} {what}".strip()
    first = ordered[0]
    return Explanation(
        first.trace_id, first.kind, first.from_, first.to, utc_text(first.at_utc_ns),
        _outcome(end, ordered), where, what,
        reason.code if reason else "", reason.rule if reason else "", reason.remedy if reason else "", decisions,
    )  # fmt: skip


def outcome(hops: Sequence[Hop]) -> Outcome:
    """What became of a stanza with these hops."""
    ordered = [step.hop for step in steps(hops)]
    return _outcome(_end(ordered), ordered)


def _outcome(end: Hop | None, ordered: Sequence[Hop]) -> Outcome:
    match end.event if end is not None else None:
        case Event.STORED:
            return "stored"
        case Event.BOUNCED:
            return "bounced"
        case Event.DROPPED:
            return "dropped"
        case Event.LOST:
            return "lost"
        case None:
            return "taken" if _is_taken(end, ordered) else "waits"
    return "delivered"


def _is_taken(end: Hop | None, ordered: Sequence[Hop]) -> bool:
    """A request or presence that a server reads, and does not send on in the same turn, is for the server itself."""
    last = ordered[-1]
    is_read = last.event in (Event.RECEIVED, Event.DEQUEUED) and not last.reason
    return end is None and is_read and last.kind in ("iq", "presence")


class _Copies(NamedTuple):
    """What became of a stanza with many receivers."""

    text: str
    is_complete: bool
    """All copies have arrived or failed."""
    end: Hop | None
    """The last copy that arrived; where none did, the last failure."""
    reason: Reason | None
    """Of the copy that failed last."""


def _copies(ordered: Sequence[Hop]) -> _Copies | None:
    """Of a stanza that a room or a node has sent to many; else None. The copies have its sender's address there."""
    said = next((hop for hop in ordered if hop.copies), None)
    if said is None:
        return None
    rest = [hop for hop in ordered if hop.from_ == said.from_]
    arrived = {hop.to: hop for hop in rest if hop.event in (Event.DELIVERED, Event.STORED)}
    failed = {hop.to: hop for hop in rest if hop.event in _FAILURES and hop.to not in arrived}
    text = f"{len(arrived)} of {said.copies} copies arrived"
    if arrived:
        last = max(hop.at_utc_ns for hop in arrived.values())
        text += f", the last after {(last - ordered[0].at_utc_ns) / 1e6:.2f} ms"
    for to, hop in failed.items():
        text += f"; {hop.event} at {hop.node}: the one for {to}" + (f" ({hop.detail})" if hop.detail else "")
    ends = [*arrived.values()] or [*failed.values()]
    reason = reasons.ALL.get([*failed.values()][-1].reason) if failed else None
    return _Copies(f"{text}.", len(arrived) + len(failed) >= said.copies, ends[-1] if ends else None, reason)


def under_way(hops: Sequence[Hop]) -> dict[tuple[str, str], list[Hop]]:
    """The hops of each copy that has not arrived yet, by its sender and receiver; of a stanza without copies, all."""
    ordered = [step.hop for step in steps(hops)]
    said = next((hop for hop in ordered if hop.copies), None)
    if said is None:
        return {(ordered[0].from_, ordered[0].to): ordered}
    copies: dict[tuple[str, str], list[Hop]] = {}
    for hop in ordered:
        if hop.from_ == said.from_ and hop.to:
            copies.setdefault((hop.from_, hop.to), []).append(hop)
    at_end = {*_FAILURES, Event.DELIVERED, Event.STORED}
    return {ends: own for ends, own in copies.items() if at_end.isdisjoint(hop.event for hop in own)}


def _end(ordered: Sequence[Hop]) -> Hop | None:
    """Where the stanza came to rest; None while it is on its way. What a component is handed goes on from there."""
    copies = _copies(ordered)
    if copies is not None:
        return copies.end if copies.is_complete else None
    failed = next((hop for hop in reversed(ordered) if hop.event in _FAILURES), None)
    if failed is not None:
        return failed
    last = ordered[-1]
    if last.event is Event.RECEIVED and "@" in last.node:
        return last
    arrived = next((hop for hop in reversed(ordered) if hop.event in (Event.DELIVERED, Event.STORED)), None)
    if arrived is None or not arrived.detail.startswith("component "):
        return arrived
    later = ordered[ordered.index(arrived) + 1 :]
    is_sent_on = any(hop.event in (Event.ROUTED, Event.ENQUEUED) for hop in later)
    return None if is_sent_on or not later else arrived


def _why(end: Hop, decisions: Sequence[Decision]) -> tuple[Reason | None, str]:
    reason = reasons.ALL.get(end.reason)
    if reason is not None:
        return reason, f"{reason.what} ({end.detail})" if end.detail and end.event in _FAILURES else reason.what
    late = [each for each in decisions if each.is_late]
    if end.event in _FAILURES or not late:
        return (reasons.REFUSED, end.detail) if end.event in _FAILURES else (None, "")
    slowest = max(late, key=lambda each: each.delta_ms)
    usual = f"{slowest.usual_ms:.2f} ms as a rule" if slowest.usual_ms is not None else "less as a rule"
    text = f"{slowest.node} {slowest.what} after {slowest.delta_ms:.0f} ms; {usual}"
    return reasons.LATE, f"{reasons.LATE.what} ({text})"


def _kinds(hops: Sequence[Hop]) -> Iterable[tuple[StepKind, Step]]:
    before = ("", "")
    for step in steps(hops):
        here = _place(step.hop.node), str(step.hop.event)
        yield (*before, *here), step
        before = here


def _place(node: str) -> str:
    """All clients and correspondents are one kind of place."""
    return "client" if "@" in node else node


def _decision(step: Step, usual: float | None) -> Decision:
    hop = step.hop
    reason = reasons.ALL.get(hop.reason)
    what = _DID[hop.event] + (f": {hop.detail}" if hop.detail else "")
    is_late = step.delta_ms > (LONG_MS if usual is None else max(LATE_MS, LATE_FACTOR * usual))
    return Decision(
        hop.node, str(hop.event), round(step.offset_ms, 3), round(step.delta_ms, 3),
        None if usual is None else round(usual, 3), is_late, hop.size_bytes, what,
        hop.reason, reason.rule if reason else "", reason.remedy if reason else "",
    )  # fmt: skip


def mermaid(answer: Explanation) -> str:
    """The answer as a sequence diagram (https://mermaid.js.org), with the verdict as a note at its end."""
    rows = [Row(answer.trace_id, each.node, each.event, _timed(each)) for each in answer.decisions]
    verdict = f"{answer.outcome}: {answer.what} {answer.remedy}".strip() if answer.what else answer.outcome
    return sequence_diagram(rows, (answer.where, verdict))


def _timed(each: Decision) -> str:
    return f"{each.what} +{each.offset_ms:.2f} ms{' LATE' if each.is_late else ''}"
