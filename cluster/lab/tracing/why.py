"""`xmpplab why`: finds a stanza in the journal, and explains it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.progress import Tell
from cluster.lab.tracing.journal import journal
from cluster.lab.tracing.waits import Waits
from cluster.lab.tracing.watching import watch
from cluster.topology.plan import Plan
from cluster.trace.addresses import is_of
from cluster.trace.hop import Hop
from cluster.trace.reader import JournalReader
from cluster.trace.why import Cause, Explanation, StepKind, explain, outcome, usual_ms
from cluster.xmpp.jid import Jid, JidError

MAX_HOPS = 200_000
"""Of the journal, newest first: what is older is not looked at."""
READ_TIMEOUT_S = 5.0
PATIENCE_S = 2.0
"""A followed stanza without a further hop is explained after so long, though it may not be at its end."""
MAX_UNDER_WAY = 1_000
"""Followed stanzas that are not explained yet; the oldest of more is explained early."""

Traces = dict[str, list[Hop]]
"""By trace id, the one with the newest hop first."""


def explain_one(folder: LabFolder, plan: Plan, trace_id: str, from_: str, to: str) -> Explanation:
    """The stanza of this trace id, or the newest one from and to these addresses (empty: any). Raises LabError."""
    with journal(folder, plan, READ_TIMEOUT_S) as reader:
        traces = _traces(reader)
    found = [hops for id, hops in traces.items() if id == trace_id] if trace_id else _matching(traces, from_, to)
    if not found:
        raise LabError(f"{_nothing(trace_id, from_, to)}; {_REMEDY}")
    return _explained(folder, plan, found[0], usual_ms(traces.values()))


_REMEDY = (
    "the journal has probes, one stanza in `trace.sample_every`, and what fails; "
    "`xmpplab why --follow ADDRESS` records an address in full, and `xmpplab trace FROM TO` sends a probe"
)


def _nothing(trace_id: str, from_: str, to: str) -> str:
    if trace_id:
        return f"no stanza with the trace id {trace_id!r} is in the journal"
    ends = " ".join(word for word in (f"from {from_}" if from_ else "", f"to {to}" if to else "") if word)
    return f"no stanza {ends} is in the journal" if ends else "no stanza is in the journal"


def explain_followed(folder: LabFolder, plan: Plan, address: str, tell: Tell) -> Iterator[Explanation]:
    """Have an address followed, and explain each stanza from or to it when it is at its end, or is held up.

    Goes on without an end; `tell` hears which servers do not follow. Raises LabError.
    """
    with journal(folder, plan, READ_TIMEOUT_S) as reader:
        usual = usual_ms(_traces(reader).values())
    under_way: dict[str, _UnderWay] = {}
    for hops in watch(folder, plan, address=address, tell=tell):
        now_s = time.monotonic()
        for hop in hops:
            if hop.trace_id in under_way or is_of(address, hop.from_) or is_of(address, hop.to):
                known = under_way.setdefault(hop.trace_id, _UnderWay())
                known.hops.append(hop)
                known.seen_s = now_s
        for id in [id for id, known in under_way.items() if known.is_due(now_s)]:
            yield _explained(folder, plan, under_way.pop(id).hops, usual)
        while len(under_way) > MAX_UNDER_WAY:
            yield _explained(folder, plan, under_way.pop(next(iter(under_way))).hops, usual)


@dataclass
class _UnderWay:
    """A followed stanza that is not explained yet."""

    hops: list[Hop] = field(default_factory=list)
    seen_s: float = 0.0

    def is_due(self, now_s: float) -> bool:
        patience_s = PATIENCE_S if outcome(self.hops) in ("taken", "waits") else 0.0
        return now_s - self.seen_s > patience_s


def _traces(reader: JournalReader) -> Traces:
    """The newest stanzas of the journal, each with its hops in the order of their times."""
    traces: Traces = {}
    count = 0
    for hops in reader.newest_first():
        for hop in reversed(hops):
            if hop.kind:  # else it is a note about many
                traces.setdefault(hop.trace_id, []).append(hop)
        count += len(hops)
        if count > MAX_HOPS:
            break
    for hops in traces.values():
        hops.reverse()  # of the same time, the one that was written first comes first
        hops.sort(key=lambda hop: hop.at_utc_ns)
    return traces


def _matching(traces: Traces, from_: str, to: str) -> list[list[Hop]]:
    return [hops for hops in traces.values() if is_of(from_, hops[0].from_) and is_of(to, hops[0].to)]


def _explained(folder: LabFolder, plan: Plan, hops: list[Hop], usual: Mapping[StepKind, float]) -> Explanation:
    causes = _causes(folder, plan, hops) if outcome(hops) == "waits" else []
    return explain(hops, usual, causes)


def _causes(folder: LabFolder, plan: Plan, hops: list[Hop]) -> list[Cause]:
    """What is in the way of a stanza that is not at its end."""
    try:
        from_, to = Jid.parse(hops[0].from_), Jid.parse(hops[0].to)
    except JidError:  # an address of a foreign network
        return []
    domain = plan.served_by.get(from_.domainpart, from_.domainpart)
    sender = next((server for server in plan.servers if server.domain == domain), None)
    return Waits(folder, plan, sender, to).causes(hops) if sender is not None else []
