"""Sees to it that sessions which can be resumed outlive this process (XEP-0198 section 5)."""

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
"""Acknowledged stanzas that stay known, and twice as many at times: an entry of a link that is read again after a
crash may bring them once more. Then they are recognized. It is what one client may get in the 10 ms for which what
has settled is not acknowledged (router/inbound.py)."""
REFUSED_S = 1.0
"""How long to wait until a storage that refuses is asked again."""
MAX_OVER = 1_000
"""Sessions whose time was up, of which we remember how many stanzas were handled (section 5: `h` of `<failed/>`)."""


class _Noted:
    """How a session was noted last."""

    __slots__ = ("acknowledged", "directed", "forgotten", "handled", "is_refused", "kept", "record")

    def __init__(self) -> None:
        self.record: SessionRecord | None = None
        self.directed: frozenset[Jid] = frozenset()
        self.handled = self.acknowledged = self.forgotten = self.kept = 0
        self.is_refused = False

    def refused(self) -> None:
        """Nobody knows what of it the storage has."""
        self.record, self.directed = None, frozenset()
        self.is_refused = True


class _Told(msgspec.Struct):
    """What a client is told when the store has it."""

    session: Session
    handled: int
    sent: list[Unacknowledged] = []


class _Note(msgspec.Struct):
    """What the store was given at once."""

    told: list[_Told]
    kept: list[Deferred[None]] = []
    """Fire when it has it."""


class SessionPersister:
    """Notes, once in each turn of the reactor, what is new of the sessions of one domain.

    A client hears of nothing that is not kept: neither does it get a stanza that could be forgotten, and with it the
    place of that stanza in the count; nor is it told that a stanza of its own was handled that could be handled again.

    Where the storage is there and refuses, the sessions go on, and their clients get what is for them. But nothing
    counts as handled, and nothing that came over a link is acknowledged, until all is kept that was refused.
    """

    _log = Logger()

    def __init__(self, store: SessionStore, turn: Turn, clock: Clock, now_utc_s: Callable[[], float]) -> None:
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
        """Something is new of it, or it wants to know what was handled: see to it at the end of this turn."""
        if not self._changed:
            self.turn.add(self._write, Stage.SESSIONS)
        self._changed[session] = None

    def when_noted(self, session: Session) -> Deferred[None]:
        """Fires when the client may be told all that is handled by now, or the session is over."""
        noted: Deferred[None] = Deferred()
        self._waiting.setdefault(session, []).append(noted)
        self.changed(session)
        return noted

    def _kept(self) -> Deferred[None] | None:
        """Fires when what is being written is kept; None where all is. For `Turn.kept`."""
        if not (self._under_way or self._is_refused):
            return None
        kept: Deferred[None] = Deferred()
        (self._when_kept if self._is_refused else self._under_way[-1].kept).append(kept)
        return kept

    def gone(self, session: Session) -> None:
        """It is over."""
        self._fire(session)
        self._refused.pop(session, None)
        self._noted.pop(session, None)
        if session.sm is not None and session.sm.is_resumable:
            self._over[session.sm.id] = session.jid.localpart, session.sm.handled
            if len(self._over) > MAX_OVER:
                del self._over[next(iter(self._over))]

    def forget(self, session: Session) -> Deferred[None] | None:
        """All that was left of it is safe elsewhere, so nothing is to be kept; fires when that is written."""
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
        """How many stanzas were handled of a session that is over; None where nobody remembers."""
        owner, handled = self._over.get(id, ("", 0))
        return handled if owner == localpart else None

    def restored(self, session: Session, record: SessionRecord, forgotten: int) -> None:
        """It came out of the store, where stanzas up to the number `forgotten` are not any more."""
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
            sm = session.sm
            if sm is None or not session.is_bound:
                continue
            if not sm.is_resumable:
                told.append(_Told(session, sm.handled))
                continue
            sm.settle(is_pipelined)  # these commands are on their way, and this goes behind them
            sent = session.number()
            told.append(_Told(session, sm.handled, sent))
            if not self._is_refused and (change := self._change(session, sent)) is not None:
                changes.append(change)
        if self._is_refused:
            self._not_kept(told)
        elif changes:
            self._under_way.append(_Note(told, self._when_kept))
            self._when_kept = []
            self._store.note(changes).addCallbacks(self._on_kept, self._on_failed)
        elif self._under_way:
            self._under_way[-1].told.extend(told)  # what was handled may be among that
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
        if session.is_changed:
            directed = frozenset(session.directed)
            record = session.record()
            if record == noted.record:
                record = None
            else:
                noted.record = record
            session.is_changed = bool(sm.waits_for)  # a request that is under way may change something yet
        handled, acknowledged, forgotten = sm.handled, sm.acknowledged_count, range(0)
        more, less = directed - noted.directed, noted.directed - directed
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
        """All that was refused, and what is new since then."""
        self._is_refused = False
        refused, self._refused = self._refused, {}
        for session in refused:
            if session.is_resumable:
                self._noted.setdefault(session, _Noted()).refused()
        self._changed = {**refused, **self._changed}
        self._write()
        if self._when_kept and not self._is_refused:  # what was refused was of sessions that are over
            when_kept, self._when_kept = self._when_kept, []
            for kept in when_kept:
                kept.callback(None)

    def _not_kept(self, told: list[_Told]) -> None:
        """They get what is for them, but no more of what they sent is handled than before.

        Whose client comes back is told all: it would send the rest again, and this process has handled that.
        """
        for each in told:
            session, sm = each.session, each.session.sm
            if not session.is_bound or sm is None:
                continue
            self._refused[session] = None
            noted = self._noted.get(session)
            handled = sm.told if noted is None else noted.kept
            if session in self._waiting:
                handled = each.handled
                if noted is not None:
                    noted.kept = handled
            session.noted(handled, each.sent)
            self._fire(session)

    def _tell(self, told: list[_Told]) -> None:
        for each in told:
            if each.session.is_bound:
                if (noted := self._noted.get(each.session)) is not None:
                    noted.kept = each.handled
                each.session.noted(each.handled, each.sent)
                self._fire(each.session)

    def _fire(self, session: Session) -> None:
        for waiting in self._waiting.pop(session, ()):
            waiting.callback(None)


def _sent(session: Session, number: int, each: Unacknowledged) -> SentStanza:
    also = [other.jid.resourcepart for other in each.sent_to if isinstance(other, Session) and other is not session]
    return SentStanza(number, each.stanza, each.sent_utc_s, tuple(also))
