"""`xmpplab why`: finds a stanza in the journal, and explains it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice

from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.progress import Tell
from cluster.lab.tracing.followed import Followed
from cluster.lab.tracing.journal import journal
from cluster.lab.tracing.kept import KeptJournal
from cluster.lab.tracing.waits import Waits
from cluster.lab.tracing.watching import watch
from cluster.topology.plan import Plan
from cluster.trace.addresses import is_of
from cluster.trace.hop import Hop
from cluster.trace.reader import JournalReader
from cluster.trace.why import Cause, Explanation, StepKind, explain, outcome, under_way, usual_ms
from cluster.xmpp.extensions.chat_states import CHAT_STATE
from cluster.xmpp.extensions.probe import SENDER
from cluster.xmpp.jid import Jid, JidError

MAX_HOPS = 200_000
"""Read from the journal, newest first; older hops are not considered."""
READ_TIMEOUT_S = 5.0
MAX_WAYS = 5
"""Domains to which copies of one stanza are on their way, and whose links and nodes are looked at."""

Traces = dict[str, list[Hop]]
"""By trace id, the one with the newest hop first."""


def explain_one(folder: LabFolder, plan: Plan, trace_id: str, from_: str, to: str) -> Explanation:
    """The stanza of this trace id, or the newest one from and to these addresses (empty: any). Raises LabError.

    A chat state, and the ping with which `send` asks whether its message was accepted, are taken only where there is
    nothing else: people ask about the messages beside them.
    """
    traces = _known(folder, plan)
    found = [hops for id, hops in traces.items() if id == trace_id] if trace_id else _matching(traces, from_, to)
    if not found:
        raise LabError(f"{_nothing(trace_id, from_, to)}; {_REMEDY}")
    chosen = next((hops for hops in found if not _is_aside(hops)), found[0])
    return _explained(folder, plan, chosen, usual_ms(traces.values()))


def explain_all(folder: LabFolder, plan: Plan, since_utc_ns: int, from_: str, to: str, kind: str) -> list[Explanation]:
    """The stanzas that entered the lab since then, oldest first, as far as the journal has them. An empty address or
    kind is any. Raises LabError."""
    traces = _known(folder, plan)
    usual = usual_ms(traces.values())
    found = [hops for hops in _matching(traces, from_, to) if hops[0].at_utc_ns >= since_utc_ns]
    found = [hops for hops in found if kind in ("", hops[0].kind)]
    return [_explained(folder, plan, hops, usual) for hops in sorted(found, key=lambda hops: hops[0].at_utc_ns)]


_REMEDY = (
    "the journal has probes, what `xmpplab send` sends, one stanza in `trace.sample_every`, and what fails; "
    "`xmpplab why --follow ADDRESS` records an address in full, and `xmpplab trace FROM TO` sends a probe"
)


def _nothing(trace_id: str, from_: str, to: str) -> str:
    if trace_id:
        return f"no stanza with the trace id {trace_id!r} is in the journal"
    ends = " ".join(word for word in (f"from {from_}" if from_ else "", f"to {to}" if to else "") if word)
    return f"no stanza {ends} is in the journal" if ends else "no stanza is in the journal"


def explain_followed(folder: LabFolder, plan: Plan, address: str, tell: Tell) -> Iterator[Explanation]:
    """Let the servers follow an address, and explain each stanza from or to it once it has arrived, failed or waits.

    Endless; `tell` gets the names of the servers that do not follow. Raises LabError.
    """
    usual = usual_ms(_known(folder, plan).values())
    followed = Followed(address)
    for hops in watch(folder, plan, address=address, tell=tell):
        for own in followed.take(hops, time.monotonic()):
            yield _explained(folder, plan, own, usual)


def _known(folder: LabFolder, plan: Plan) -> Traces:
    """Those of the journal: in the lab's folder where the run is over, otherwise in its Redis."""
    if folder.journal.exists():
        return _traces(KeptJournal(folder.journal))
    with journal(folder, plan, READ_TIMEOUT_S) as reader:
        return _traces(reader)


def _traces(reader: JournalReader | KeptJournal) -> Traces:
    """The newest stanzas of the journal, each with its hops in the order of their times."""
    traces: Traces = {}
    count = 0
    for hops in reader.newest_first():
        for hop in reversed(hops):
            if hop.kind:  # otherwise it is a note about several stanzas
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


def _is_aside(hops: list[Hop]) -> bool:
    first = hops[0]
    resources = [address.partition("/")[2] for address in (first.from_, first.to)]
    is_of_send = first.kind == "iq" and any(resource.startswith(SENDER) for resource in resources)
    return is_of_send or any(hop.detail == CHAT_STATE for hop in hops)


def _explained(folder: LabFolder, plan: Plan, hops: list[Hop], usual: Mapping[StepKind, float]) -> Explanation:
    is_over = folder.journal.exists()  # then nothing is in the way now
    causes = _causes(folder, plan, hops) if outcome(hops) == "waits" and not is_over else []
    return explain(hops, usual, causes)


def _causes(folder: LabFolder, plan: Plan, hops: list[Hop]) -> list[Cause]:
    """The known problems on the rest of the route of a stanza, or of its copies to each domain."""
    ways: dict[tuple[str, str], tuple[Jid, list[Hop]]] = {}
    for (from_, to), own in under_way(hops).items():
        with suppress(JidError):  # an address of a foreign network
            sender, receiver = Jid.parse(from_), Jid.parse(to)
            ways.setdefault((sender.domainpart, receiver.domainpart), (receiver, own))
    causes: list[Cause] = []
    for (domain, _), (receiver, own) in islice(ways.items(), MAX_WAYS):
        server = next((each for each in plan.servers if each.domain == plan.served_by.get(domain, domain)), None)
        found = Waits(folder, plan, server, receiver).causes(own) if server is not None else []
        causes += [cause for cause in found if cause not in causes]
    return causes
