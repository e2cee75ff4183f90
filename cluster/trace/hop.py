"""A hop: what one node did with one stanza, and the tracer that a node writes it with."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from cluster.trace.unfollowed import Sparing
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

if TYPE_CHECKING:  # commands that only read plans start fast
    from cluster.base.clock import Clock
    from cluster.base.reasons import Reason

MAX_JOURNAL_BYTES = 67_108_864
"""Of one node's hops in the journal, if the topology gives no other limit (`trace.journal_bytes`)."""
MAX_TEXT_CHARACTERS = 256
"""Of an address and of a detail in a hop: anybody may write long ones, and a stanza has many hops."""

MAX_FOLLOWED = 16
"""Addresses that a node follows at a time; further ones are not."""


class Event(StrEnum):
    """What happened to a stanza at a node."""

    SENT = "sent"
    RECEIVED = "received"
    ROUTED = "routed"
    ENQUEUED = "enqueued"
    DEQUEUED = "dequeued"
    DELIVERED = "delivered"
    STORED = "stored"
    BOUNCED = "bounced"
    DROPPED = "dropped"
    LOST = "lost"
    """Lost by a fault of the link; recorded for every stanza, followed or not."""


class Hop(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the journal."""

    trace_id: str
    """Joins the hops of one stanza."""
    node: str
    """Name of the lab node, as in the topology; `router` for the queue between two domains."""
    event: Event
    at_utc_ns: int
    """Wall time in nanoseconds since the epoch; the nodes of a lab share one clock."""
    kind: str
    from_: str
    to: str
    size_bytes: int
    detail: str = ""
    """Where to (routed, enqueued), or why (stored, bounced, dropped); the fault and the stanza's own id (lost)."""
    reason: str = ""
    """The code of the decision (see base/reasons.py); empty where the stanza just went on."""
    copies: int = 0
    """How many receivers the stanza has from here on, where a room or a publish-subscribe node sends it to many."""

    def cut(self) -> Hop:
        """The hop with its texts cut to MAX_TEXT_CHARACTERS."""
        most = MAX_TEXT_CHARACTERS
        if max(len(self.trace_id), len(self.from_), len(self.to), len(self.detail)) <= most:
            return self
        return msgspec.structs.replace(
            self, trace_id=self.trace_id[:most], from_=self.from_[:most], to=self.to[:most], detail=self.detail[:most]
        )


class Journal(Protocol):
    """Stores hops; appending never blocks, and the hops of a reactor turn are written at once."""

    def append(self, hop: Hop) -> None: ...


FAILURES = frozenset({Event.BOUNCED, Event.DROPPED})
"""Recorded also for stanzas that are not followed, as far as `Sparing` admits them; every LOST is recorded
(`followed`)."""


class Tracer:
    """Writes one node's hops, and chooses the stanzas to follow."""

    def __init__(
        self,
        node: str,
        journal: Journal,
        now_utc_ns: Callable[[], int],
        new_id: Callable[[], str],
        sample_every: int,
        clock: Clock,
    ) -> None:
        """`sample_every`: one stanza in this number is followed from here on; 0 means none but probes.

        `clock` is steady; `now_utc_ns` is the time of day.
        """
        self.node = node
        self._journal = journal
        self._now_utc_ns = now_utc_ns
        self._new_id = new_id
        self._sample_every = sample_every
        self._until_next = sample_every
        self._clock = clock
        self._shares_until_s: dict[int, float] = {}
        """The ends of the times in which one stanza in this number is followed."""
        self._until_s: dict[str, float] = {}
        """Of the addresses that are followed."""
        self._unfollowed = Sparing(clock, self._tell_more)

    def sample(self, stanza: Stanza) -> str:
        """The trace id for a stanza that enters the lab here: mostly empty, a new one for each Nth."""
        if self._until_s and self._is_followed(stanza):
            return self._new_id()
        self._until_next -= 1
        if self._until_next:
            return ""
        if self._shares_until_s:
            now_s = self._clock.seconds()
            self._shares_until_s = {
                every: until_s for every, until_s in self._shares_until_s.items() if until_s > now_s
            }
            if not self._shares_until_s:
                self._until_next = self._sample_every
                return self.sample(stanza)
            self._until_next = min(*self._shares_until_s, self._sample_every or max(self._shares_until_s))
            return self._new_id()
        self._until_next = self._sample_every
        return self._new_id()

    def follow_share(self, every: int, seconds: float) -> None:
        """Follow one stanza in `every` that enters the lab here, for this time; 1: each. A call before its end prolongs
        it; of several shares at a time, the largest counts."""
        if seconds > 0 and (every in self._shares_until_s or len(self._shares_until_s) < MAX_FOLLOWED):
            until_s = self._clock.seconds() + seconds
            self._shares_until_s[every] = max(self._shares_until_s.get(every, 0.0), until_s)
            self._until_next = min(self._until_next, every) if self._until_next > 0 else every

    def follow(self, address: str, seconds: float) -> None:
        """Follow what is from or to an address, its resources or its domain, or has it as its id; otherwise as
        `follow_share`."""
        now_s = self._clock.seconds()
        self._until_s = {known: until_s for known, until_s in self._until_s.items() if until_s > now_s}
        if seconds > 0 and (address in self._until_s or len(self._until_s) < MAX_FOLLOWED):
            self._until_s[address] = max(self._until_s.get(address, 0.0), now_s + seconds)

    def _is_followed(self, stanza: Stanza) -> bool:
        now_s = self._clock.seconds()
        if all(until_s <= now_s for until_s in self._until_s.values()):
            self._until_s = {}
            return False
        ends = [jid for jid in (stanza.from_, stanza.to) if jid is not None]
        names = [name for jid in ends for name in (str(jid), str(jid.bare), jid.domainpart)]
        names.append(stanza.id or "")
        return any(self._until_s.get(name, 0.0) > now_s for name in names)

    def followed(self, stanza: Stanza) -> Stanza:
        """The stanza with a trace id: to record an event that must not be missed."""
        return stanza if stanza.trace_id else msgspec.structs.replace(stanza, trace_id=self._new_id())

    def note(self, kind: str, from_: Jid, to: Jid, detail: str) -> None:
        """Append an event that is not a hop of a followed stanza, but of interest to somebody who watches a client."""
        self._append(self._new_id(), Event.RECEIVED, kind, str(from_), str(to), 0, detail, "")

    def record(
        self,
        event: str,
        stanza: Stanza,
        detail: str = "",
        node: str = "",
        reason: Reason | None = None,
        copies: int = 0,
    ) -> None:
        """Append a hop of a followed stanza. Callers on the message path check `stanza.trace_id` first.

        For stanzas that are not followed, only FAILURES are appended. `event` is an `Event` or its value.
        """
        if trace_id := stanza.trace_id or self._id_of_failure(event):
            from_ = str(stanza.from_) if stanza.from_ else ""
            to = str(stanza.to) if stanza.to else ""
            self._append(trace_id, event, stanza.kind, from_, to, len(stanza.raw), detail, node, reason, copies)

    def record_foreign(
        self,
        event: Event,
        trace_id: str,
        kind: str,
        from_: str,
        to: str,
        size_bytes: int,
        detail: str,
        node: str,
        reason: Reason | None = None,
    ) -> None:
        """As `record`, for a mail or a short message, with the addresses of its network."""
        if trace_id := trace_id or self._id_of_failure(event):
            self._append(trace_id, event, kind, from_, to, size_bytes, detail, node, reason)

    def _id_of_failure(self, event: str) -> str:
        """A trace id for a hop of a stanza that is not followed; empty if it is not to be recorded."""
        return self._new_id() if event in FAILURES and self._unfollowed.take() else ""

    def _tell_more(self, number: int) -> None:
        detail = f"and {number} more of stanzas that are not followed, bounced or dropped"
        self._append(self._new_id(), Event.DROPPED, "", "", "", 0, detail, "")

    def _append(
        self,
        trace_id: str,
        event: str,
        kind: str,
        from_: str,
        to: str,
        size_bytes: int,
        detail: str,
        node: str,
        reason: Reason | None = None,
        copies: int = 0,
    ) -> None:
        at_utc_ns, code = self._now_utc_ns(), reason.code if reason is not None else ""
        self._journal.append(
            Hop(trace_id, node or self.node, Event(event), at_utc_ns, kind, from_, to, size_bytes, detail, code, copies)
        )
