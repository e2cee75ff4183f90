"""Persists resumable sessions, so that they survive a crash (XEP-0198 section 5)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Clock
from cluster.base.pipelined import is_pipelined
from cluster.base.storage import is_refusal, log_failed
from cluster.base.turn import Stage, Turn
from cluster.server.sessions.session import Session
from cluster.store.port import SessionStore
from cluster.store.session import SentStanza, SessionChange, SessionRecord
from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.sm import Unacknowledged

REMEMBERED = 64
"""Acknowledged stanzas that are still recognised, at times twice as many: an entry of a link that is read again after a
crash may bring them once more.

It is what one client may get in the 10 ms in which settled entries are not acknowledged (router/inbound.py).
"""
REFUSED_S = 1.0
"""Pause until a storage that refuses is tried again."""
MAX_OVER = 1_000
"""Ended sessions whose count of handled stanzas is remembered (section 5: `h` of `<failed/>`)."""
_NOBODY: frozenset[Jid] = frozenset()


class _Noted:
    """What the storage has of a session."""

    __slots__ = ("acknowledged", "directed", "forgotten", "handled", "is_refused", "kept", "record")

    def __init__(self) -> None:
        self.record: SessionRecord | None = None
        self.directed = _NOBODY
        self.handled = self.acknowledged = self.forgotten = self.kept = 0
        self.is_refused = False

    def refused(self) -> None:
        """It is unknown what of it the storage has."""
        self.record, self.directed = None, _NOBODY
        self.is_refused = True


class _Told(msgspec.Struct):
    """What a client is told when the storage has it."""

    session: Session
    handled: int
    sent: list[Unacknowledged] = []
    waiting: list[Deferred[None]] = []
    """For this."""


class _Note(msgspec.Struct):
    """The changes in one write."""

    told: list[_Told]
    kept: list[Deferred[None]] = []
    """Fire when the storage has them."""


class SessionPersister:
    """Stores the changes of the sessions of one domain, once in each turn of the reactor.

    A client is told only of what is stored. It gets no stanza that could be forgotten, and with it the stanza's number;
    and it is not told that a stanza of its own was handled if that could be handled again.

    If the storage is up and refuses, the sessions continue, and their clients get their stanzas. But nothing counts as
    handled, and no entry of a link is acknowledged, until all that was refused is stored.
    """

    _log = Logger()

    def __init__(self, store: SessionStore, turn: Turn, clock: Clock, now_utc_s: Callable[[], float]) -> None:
        self.sent = 0
        self.turn = turn
        turn.kept = self._kept
        self._clock = clock
        self.now_utc_s = now_utc_s
        self._store = store
        self._changed: dict[Session, None] = {}
        self._noted: dict[Session, _Noted] = {}
        self._under_way: deque[_Note] = deque()
        self._refused: dict[Session, None] = {}  # all that changed since the storage refused
        self._is_refused = False
        self._when_kept: list[Deferred[None]] = []  # for what was refused
        self._waiting: dict[Session, list[Deferred[None]]] = {}
        self._over: dict[str, tuple[str, int]] = {}

    def changed(self, session: Session) -> None:
        """The session changed, or its client asks for the count: write at the end of this turn."""
        if not self._changed:
            self.turn.add(self._write, Stage.SESSIONS)
        self._changed[session] = None

    def when_noted(self, session: Session) -> Deferred[None]:
        """Fires when the client may be told all that is handled by now, or the session has ended."""
        noted: Deferred[None] = Deferred()
        self._waiting.setdefault(session, []).append(noted)
        self.changed(session)
        return noted

    def _kept(self) -> Deferred[None] | None:
        """Fires when what is being written is stored; None if all is. For `Turn.kept`."""
        if not (self._under_way or self._is_refused):
            return None
        kept: Deferred[None] = Deferred()
        (self._when_kept if self._is_refused else self._under_way[-1].kept).append(kept)
        return kept

    def gone(self, session: Session) -> None:
        """The session has ended."""
        _fire(self._waiting.pop(session, []))
        self._refused.pop(session, None)
        self._noted.pop(session, None)
        if session.sm is not None and session.sm.is_resumable:
            self._over[session.sm.id] = session.jid.localpart, session.sm.handled
            if len(self._over) > MAX_OVER:
                del self._over[next(iter(self._over))]

    def forget(self, session: Session) -> Deferred[None] | None:
        """Remove a session whose stanzas are safe elsewhere; fires when that is written."""
        sm = session.sm
        if sm is None or not sm.is_resumable:
            return None
        forgotten: Deferred[None] = Deferred()
        self.turn.add(partial(self._delete, session.jid.localpart, sm.id, forgotten), Stage.SESSIONS)
        return forgotten

    def _delete(self, localpart: str, id: str, forgotten: Deferred[None]) -> None:
        self._store.delete(localpart, id).addErrback(lambda failure: log_failed(self._log, "Forgetting one", failure))
        forgotten.callback(None)

    def handled_by(self, localpart: str, id: str) -> int | None:
        """The count of handled stanzas of an ended session; None if it is not remembered."""
        owner, handled = self._over.get(id, ("", 0))
        return handled if owner == localpart else None

    def restored(self, session: Session, record: SessionRecord, forgotten: int) -> None:
        """The session came out of the store, which has no stanzas up to the number `forgotten`."""
        assert session.sm is not None
        noted = self._noted[session] = _Noted()
        noted.record, noted.directed, noted.forgotten = record, frozenset(session.directed), forgotten
        noted.handled = noted.kept = session.sm.handled
        noted.acknowledged = session.sm.acknowledged_count

    # --- the end of a turn

    def _write(self) -> None:
        sessions, self._changed = self._changed, {}
        changes: list[SessionChange] = []
        told: list[_Told] = []
        for session in sessions:
            sm, waiting = session.sm, self._waiting.pop(session, [])
            if sm is None or not session.is_bound:
                _fire(waiting)
                continue
            if not sm.is_resumable:
                told.append(_Told(session, sm.handled, waiting=waiting))
                continue
            sm.settle(is_pipelined)  # these commands are on their way, and this one goes after them
            sent = session.number()
            told.append(_Told(session, sm.handled, sent, waiting))
            if not self._is_refused and (change := self._change(session, sent)) is not None:
                changes.append(change)
        if self._is_refused:
            self._not_kept(told)
        elif changes:
            self._under_way.append(_Note(told, self._when_kept))
            self._when_kept = []
            self._store.note(changes).addCallbacks(self._on_kept, self._on_failed)
        elif self._under_way:
            self._under_way[-1].told.extend(told)  # handled stanzas may be among them
        else:
            self._tell(told)
        for session in sessions:
            if session.is_bound:
                session.check_size()

    def _change(self, session: Session, sent: list[Unacknowledged]) -> SessionChange | None:
        sm = session.sm
        assert sm is not None
        noted = self._noted.setdefault(session, _Noted())
        if noted.is_refused:
            noted.is_refused, session.is_changed, sent = False, True, sm.left
        record = None
        directed = noted.directed
        more = less = _NOBODY
        if session.is_changed:
            directed = frozenset(session.directed) if session.directed else _NOBODY
            more, less = directed - noted.directed, noted.directed - directed
            record = session.record()
            if record == noted.record:
                record = None
            else:
                noted.record = record
            session.is_changed = bool(sm.waits_for)  # a pending request may still change something
        handled, acknowledged, forgotten = sm.handled, sm.acknowledged_count, range(0)
        is_same = not (sent or record or more or less)
        if is_same and (handled, acknowledged) == (noted.handled, noted.acknowledged):
            return None
        if acknowledged - noted.forgotten >= 2 * REMEMBERED:
            forgotten = range(noted.forgotten + 1, acknowledged - REMEMBERED + 1)
            noted.forgotten = acknowledged - REMEMBERED
        noted.handled, noted.acknowledged, noted.directed = handled, acknowledged, directed
        first = sm.sent_count - len(sent) + 1
        stanzas = tuple([_sent(session, number, each) for number, each in enumerate(sent, first)])
        return SessionChange(
            sm.id, session.jid.localpart, handled, acknowledged, record, more, less, stanzas, forgotten
        )

    def _on_failed(self, failure: Failure) -> None:
        if not is_refusal(failure.value):
            log_failed(self._log, "Keeping sessions", failure)
        note = self._under_way.popleft()
        if not self._is_refused:
            self._is_refused = True
            self._clock.callLater(REFUSED_S, self.turn.add, self._keep_again, Stage.SESSIONS)
        self._when_kept += note.kept
        self._not_kept(note.told)

    def _on_kept(self, result: object) -> None:
        note = self._under_way.popleft()
        if self._is_refused:  # what was written before this
            self._when_kept += note.kept
            self._not_kept(note.told)
            return
        self._tell(note.told)
        for kept in note.kept:
            kept.callback(None)

    def _keep_again(self) -> None:
        """Write all that was refused, and what changed since then."""
        self._is_refused = False
        refused, self._refused = self._refused, {}
        for session in refused:
            if session.is_resumable:
                self._noted.setdefault(session, _Noted()).refused()
        self._changed = {**refused, **self._changed}
        self._write()
        if self._when_kept and not self._is_refused:  # the refused changes were of ended sessions
            when_kept, self._when_kept = self._when_kept, []
            for kept in when_kept:
                kept.callback(None)

    def _not_kept(self, told: list[_Told]) -> None:
        """The sessions continue, but no more of their clients' stanzas count as handled than before.

        A client that resumes is told the full count: otherwise it would send the rest again, which this process has
        handled.
        """
        for each in told:
            session, sm = each.session, each.session.sm
            if session.is_bound and sm is not None:
                self._refused[session] = None
                noted = self._noted.get(session)
                handled = sm.told if noted is None else noted.kept
                if each.waiting:
                    handled = each.handled
                    if noted is not None:
                        noted.kept = handled
                session.noted(handled, each.sent)
            _fire(each.waiting)

    def _tell(self, told: list[_Told]) -> None:
        for each in told:
            if each.session.is_bound:
                if (noted := self._noted.get(each.session)) is not None:
                    noted.kept = each.handled
                each.session.noted(each.handled, each.sent)
            _fire(each.waiting)


def _fire(waiting: list[Deferred[None]]) -> None:
    for each in waiting:
        each.callback(None)


def _sent(session: Session, number: int, each: Unacknowledged) -> SentStanza:
    also = [other.jid.resourcepart for other in each.sent_to if isinstance(other, Session) and other is not session]
    return SentStanza(number, each.stanza, each.sent_utc_s, tuple(also))
