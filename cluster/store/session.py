"""What is kept of a session that can be resumed (XEP-0198 section 5), so that it outlives the process of its server."""

from __future__ import annotations

import msgspec

from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza


class SessionRecord(msgspec.Struct, frozen=True):
    """What a session is, apart from its stanzas."""

    id: str
    """The SM-ID."""
    jid: Jid
    """Full."""
    timeout_s: float
    """How long it waits for its client."""
    broken_utc_s: float | None = None
    """Since when it waits, in seconds since the epoch; None while it has a stream."""
    presence: Stanza | None = None
    """The presence that it broadcast last; None while it is not available."""
    farewell: Stanza | None = None
    """The unavailable presence that it broadcast, unless it is available again."""
    priority: int = 0
    state: dict[str, msgspec.Raw] = {}
    """What modules keep with it, by name (host/state.py)."""


class SentStanza(msgspec.Struct, frozen=True, array_like=True):
    """A stanza on its way to the client."""

    number: int
    """Its place among all that were ever sent, from 1."""
    stanza: Stanza
    sent_utc_s: float
    also: tuple[str, ...] = ()
    """Resources of the account that were sent the same."""


class SessionChange(msgspec.Struct, frozen=True):
    """What is new of a session."""

    id: str
    localpart: str
    handled: int
    """Stanzas of the client that are safe: our `h`."""
    acknowledged: int
    """Stanzas that the client has acknowledged, of all that it was ever sent."""
    record: SessionRecord | None = None
    """None where it is as it was."""
    directed: frozenset[Jid] = frozenset()
    """Who else has had directed presence."""
    undirected: frozenset[Jid] = frozenset()
    """Who has had it no more."""
    sent: tuple[SentStanza, ...] = ()
    """To be kept."""
    forgotten: range = range(0)
    """Numbers of stanzas that need not be kept any more."""


class KeptSession(msgspec.Struct, frozen=True):
    """A session as it was left."""

    record: SessionRecord
    handled: int
    acknowledged: int
    sent: tuple[SentStanza, ...]
    """Oldest first. What bears a number up to `acknowledged` is not sent again: it is only known to have been sent."""
    directed: frozenset[Jid] = frozenset()
    """Who has had directed presence."""
