"""The stored form of a session that can be resumed (XEP-0198 section 5), which survives the process of its server."""

from __future__ import annotations

import msgspec

from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza


class SessionRecord(msgspec.Struct, frozen=True):
    """A session, without its stanzas."""

    id: str
    """The SM-ID."""
    jid: Jid
    """Full."""
    timeout_s: float
    """How long it waits for its client."""
    broken_utc_s: float | None = None
    """The start of its wait for a client, in seconds since the epoch; None while it has a stream."""
    presence: Stanza | None = None
    """The last presence that it broadcast; None while it is not available."""
    farewell: Stanza | None = None
    """The unavailable presence that it broadcast, unless it is available again."""
    priority: int = 0
    state: dict[str, msgspec.Raw] = {}
    """The values of modules, by name (host/state.py)."""


class SentStanza(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A stanza on its way to the client."""

    number: int
    """Its place among all stanzas of the session, from 1."""
    stanza: Stanza
    sent_utc_s: float
    also: tuple[str, ...] = ()
    """Resources of the account that got the same stanza."""


class SessionChange(msgspec.Struct, frozen=True):
    """The changes of a session."""

    id: str
    localpart: str
    handled: int
    """Stanzas of the client that are safe: our `h`."""
    acknowledged: int
    """Stanzas that the client has acknowledged, of all that it was ever sent."""
    record: SessionRecord | None = None
    """None if it is unchanged."""
    directed: frozenset[Jid] = frozenset()
    """New receivers of directed presence."""
    undirected: frozenset[Jid] = frozenset()
    """Former receivers of directed presence."""
    sent: tuple[SentStanza, ...] = ()
    """New stanzas."""
    forgotten: range = range(0)
    """Numbers of stanzas to remove."""


class KeptSession(msgspec.Struct, frozen=True):
    """A session as it was stored."""

    record: SessionRecord
    handled: int
    acknowledged: int
    sent: tuple[SentStanza, ...]
    """Oldest first. Those with a number up to `acknowledged` are not sent again, but copies of messages and iqs that
    somebody else sent are recognised: the others may be missing."""
    directed: frozenset[Jid] = frozenset()
    """Receivers of directed presence."""
