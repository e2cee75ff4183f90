"""What only a view of the whole network can check, once it has settled."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from itertools import pairwise
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from cluster.simulation.lab import SimulatedLab
from cluster.simulation.population import Population
from cluster.store.archive import ArchivedMessage
from cluster.store.limits import DEFAULTS
from cluster.store.port import RosterItem
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid

FULL = DEFAULTS.archive.count
"""An archive of this size may have forgotten the oldest messages."""
_SENDS = ("both", "from")
_GETS = ("both", "to")
Result = TypeVar("Result")


def rosters(lab: SimulatedLab) -> Iterator[str]:
    """Two accounts whose rosters disagree: who sends presence to whom, and who has asked for it (RFC 6121 App. A)."""
    found = {jid: _now(lab.backbone.store(jid.domainpart).rosters.load(jid.localpart or "")) for jid in _accounts(lab)}
    for jid, roster in found.items():
        for contact, item in roster.items():
            if contact in found:
                other = found[contact].get(jid) or RosterItem(jid)
                if (item.subscription in _GETS) != (other.subscription in _SENDS):
                    yield f"{jid} has {contact} as {item.subscription!r}, which has it as {other.subscription!r}"
                if item.pending_out and other.pending_in is None:
                    yield f"{jid} waits for {contact}, which was not asked"


def archives(lab: SimulatedLab, population: Population) -> Iterator[str]:
    """Messages that were delivered and are not in the archives of both sides, or that only the receiver's has; and
    archives that are not in order of time."""
    keeping = {node.domain for node in lab.plan.ours if "archive" in node.modules}
    known = {number: person.jid for number, person in population.by_number.items() if person.jid.domainpart in keeping}
    found = {number: [*_archived(lab, jid)] for number, jid in known.items()}
    for number, messages in found.items():
        if any(after.came_utc_s < before.came_utc_s for before, after in pairwise(messages)):
            yield f"the archive of {known[number]} goes back in time"
    kept = {number: {message.stanza.id or "" for message in messages} for number, messages in found.items()}
    for (from_, to), (sent, delivered) in population.checker.fates().items():
        for number in (from_, to):
            ids = kept.get(number, delivered)
            if len(ids) < FULL and (missing := delivered - ids):
                yield f"the archive of {known[number]} lacks {len(missing)} delivered messages, such as {min(missing)}"
        if more := (sent - delivered) & kept.get(to, set()):
            yield f"the archive of {known[to]} has {len(more)} messages that were not delivered, such as {min(more)}"


def _accounts(lab: SimulatedLab) -> Iterator[Jid]:
    for domain in lab.domains:
        names = _now(lab.backbone.store(domain).accounts.names())
        yield from (Jid(localpart, domain) for localpart in sorted(names))


def _archived(lab: SimulatedLab, account: Jid) -> Iterator[ArchivedMessage]:
    """The messages in an archive."""
    after: str | None = None
    while True:
        page = _now(lab.backbone.store(account.domainpart).archives.query(account, Query(page_after=after)))
        yield from page.messages
        if page.is_complete or not page.messages:
            return
        after = page.messages[-1].id


def _now(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine that waits for nothing, as those of `Backbone.store` do."""
    done: list[Result] = []
    Deferred.fromCoroutine(coroutine).addCallback(done.append)
    return done[0]
