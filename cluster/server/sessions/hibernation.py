"""A session without a stream, which waits for its client (XEP-0198 section 5)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, DeferredList

from cluster.base.clock import Clock
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.persistence import SessionPersister
from cluster.server.sessions.session import Session
from cluster.xmpp.errors import StreamError


class Hibernation:
    """Replaces the stream of a session that has none: its stanzas wait among the unacknowledged ones.

    For everybody else the session does not change.
    """

    def __init__(
        self, session: Session, persister: SessionPersister, clock: Clock, gone: Callable[[Session], None]
    ) -> None:
        """`gone` is called when its time is over, or the session was ended."""
        assert session.sm is not None
        self._session = session
        self._gone = gone
        now_s = clock.seconds()
        broken_utc_s = persister.now_utc_s() if session.broken_utc_s is None else session.broken_utc_s
        until_s = session.resumable_until_s
        if until_s is None:  # its stream broke now; or in an earlier process, whose clock may have been a wrong one
            until_s = now_s + session.sm.timeout_s
        self._timer = clock.callLater(max(0.0, until_s - now_s), self._on_timeout)
        session.move(self._write, self._end, self._leave, broken_utc_s)
        session.resumable_until_s = until_s

    def _write(self, data: bytes) -> None:
        """Discard the bytes; stanzas are sent again, and other elements are of no use on another stream."""

    def _end(self, error: StreamError) -> None:
        if self._timer.active():
            self._timer.cancel()
            self._gone(self._session)

    def _leave(self) -> None:
        if self._timer.active():
            self._timer.cancel()

    def _on_timeout(self) -> None:
        self._gone(self._session)


def find(account: LocalAccount | None, sm_id: str) -> Session | None:
    """The session with this id, None if it is unknown or has ended."""
    sessions = account.sessions.values() if account is not None else ()
    return next((each for each in sessions if each.sm is not None and each.sm.id == sm_id and sm_id), None)


async def ready(session: Session, persister: SessionPersister) -> bool:
    """Wait until all that its client sent has settled, so that the count is final; False if it has ended by then."""
    assert session.sm is not None
    await DeferredList([each for each in session.sm.waits_for if isinstance(each, Deferred)])
    await persister.when_noted(session)
    return session.is_bound
