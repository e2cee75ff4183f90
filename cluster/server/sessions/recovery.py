"""Sessions of an earlier process, as they were stored (XEP-0198 section 5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cluster.host.state import SessionState, from_store
from cluster.server.im.accounts import Accounts, LocalAccount
from cluster.server.sessions.directed import Directed
from cluster.server.sessions.persistence import SessionPersister
from cluster.server.sessions.session import Session
from cluster.store.port import SessionStore
from cluster.store.session import KeptSession, SentStanza
from cluster.xmpp.namespaces import DELAY, DELIVERY, STANZA_ID
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.sm import PATIENCE, StreamManagement, Unacknowledged

_ONCE = STANZA_ID.encode(), DELIVERY.encode(), DELAY.encode()


def _is_unique(stanza: Stanza) -> bool:
    """Whether no other stanza has the same bytes."""
    if stanza.kind == "message":
        return any(namespace in stanza.raw for namespace in _ONCE)
    return stanza.kind == "iq"


class RecoveredSession(Session):
    """A session that knows what it was sent last.

    The process that died may have stored a stanza for its client, and not have acknowledged the entry of the link or
    inbox that brought it. Such an entry is read again. A message then has the same mark, or the same stanza-id if it is
    archived (xmpp/stanza_id.py), or the same delay if it came out of the offline store; an iq has its own id (RFC 6120
    section 8.1.3). By these it is recognised here.
    """

    __slots__ = ("_had", "_uncertain")

    def __init__(
        self, kept: KeptSession, account: LocalAccount, persister: SessionPersister, states: Iterable[SessionState[Any]]
    ) -> None:
        """It has no stream yet, and will hibernate."""
        super().__init__(account, kept.record.jid, persister, _nowhere, _nowhere, _nowhere)
        record = kept.record
        self._uncertain = record.presence
        self.presence, self.farewell, self.priority = record.presence, record.farewell, record.priority
        self.directed = Directed(sorted(kept.directed))
        self.state = from_store(states, record.state)
        self.broken_utc_s = record.broken_utc_s
        stanzas = [each.stanza for each in kept.sent]
        self._had = {each.raw for each in stanzas if _is_unique(each)}
        first = kept.sent[0].number if kept.sent else kept.acknowledged + 1
        acknowledged = max(kept.acknowledged, first - 1)
        self.sm = StreamManagement(record.id, record.timeout_s, kept.handled, acknowledged, PATIENCE)
        persister.restored(self, record, first - 1)

    def take_up(self, sent: Iterable[SentStanza]) -> None:
        """All sessions of the account are loaded: restore its unacknowledged stanzas."""
        assert self.sm is not None
        sessions = self.account.sessions
        left = [each for each in sent if each.number > self.sm.acknowledged_count]
        also = [tuple(sessions[name] for name in each.also if name in sessions) for each in left]
        self.sm.number(
            [Unacknowledged(each.stanza, each.sent_utc_s, others) for each, others in zip(left, also, strict=True)]
        )
        self.sm.written(len(left))

    def begins_with(self, presence: Stanza) -> bool:
        """Also if the process that died had it: perhaps it had not counted it, and asked nobody."""
        repeated, self._uncertain = self._uncertain, None
        return super().begins_with(presence) or (repeated is not None and repeated.raw == presence.raw)

    def send(self, stanza: Stanza) -> None:
        """Send a stanza to the client, unless it has it."""
        if self._had and stanza.raw in self._had:
            self._had.discard(stanza.raw)
        else:
            super().send(stanza)


def _nowhere(*nothing: object) -> None:
    """The write function of a session that has no stream yet."""


async def restore(
    localpart: str,
    accounts: Accounts,
    store: SessionStore,
    persister: SessionPersister,
    states: Iterable[SessionState[Any]],
) -> list[RecoveredSession]:
    """The stored sessions of an account, except those that it has already; `states`: of modules.

    They belong to the account again, which is not yet online: see `Accounts.show`. A session whose resource belongs to
    another one by now does not, and will end.
    """
    kept = await store.load(localpart)
    account = await accounts.load(localpart)
    if account is None:
        for each in kept:
            await store.delete(localpart, each.record.id)
        return []
    here = {session.sm.id for session in account.sessions.values() if session.sm is not None}
    new = [(each, RecoveredSession(each, account, persister, states)) for each in kept if each.record.id not in here]
    for _, session in new:
        successor = account.sessions.get(session.jid.resourcepart)
        if successor is None:
            account.sessions[session.jid.resourcepart] = session
        elif successor.available:
            session.presence = None  # its contacts see the other one under this address
            session.directed.take()
    for each, session in new:
        session.take_up(each.sent)
    return [session for _, session in new]
