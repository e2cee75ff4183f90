"""What a client's stream talks to once it is bound: the seat of its session."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from cluster.router.port import Settled
from cluster.server.domain import Domain
from cluster.server.hibernation import Hibernation, find, ready
from cluster.server.session import Session
from cluster.server.turn import Clock, Turn
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.events import Misaddressed, Nonza
from cluster.xmpp.jid import Jid, JidError, mended_resourcepart
from cluster.xmpp.sm import StreamManagement
from cluster.xmpp.stanza import Stanza

MAX_SESSIONS = 64
"""Resources of one account at the same time."""


class Way(NamedTuple):
    """The way from a session to its client."""

    write: Callable[[bytes], None]
    end: Callable[[StreamError], None]
    """Close the stream with an error."""
    leave: Callable[[], None]
    """The session goes on with another stream."""


class Seat(Protocol):
    """One bound resource, as its stream sees it. Every method may be called until `lost` or `closed`."""

    @property
    def jid(self) -> Jid:
        """The full JID."""

    @property
    def management(self) -> StreamManagement | None:
        """What was said of its stream so far, where it is managed (XEP-0198)."""

    def said(self, stanza: Stanza) -> Settled:
        """The client sent a stanza; its `from` is stamped."""

    def said_otherwise(self, event: Nonza | Misaddressed) -> None:
        """It sent what is no stanza, or none that can be routed. Raises StreamError."""

    def go_on(self) -> None:
        """The stream was resumed and the client has been told so: send what it missed."""

    def wrote(self, size_bytes: int) -> None:
        """The stream itself told the client something."""

    def pause(self) -> None:
        """The client does not read."""

    def resume(self) -> None:
        """It reads again."""

    def lost(self) -> None:
        """The connection broke."""

    def closed(self) -> None:
        """The stream was ended."""


class LocalSeat:
    """A `Seat` of a session in this process."""

    __slots__ = ("_clock", "_domain", "_from_session", "_session", "_way")

    def __init__(self, session: Session, domain: Domain, clock: Clock, way: Way) -> None:
        self._session = session
        self._domain = domain
        self._clock = clock
        self._way = way
        self._from_session = domain.entrance.from_session

    @property
    def jid(self) -> Jid:
        """See `Seat`."""
        return self._session.jid

    @property
    def management(self) -> StreamManagement | None:
        """See `Seat`."""
        return self._session.sm

    def said(self, stanza: Stanza) -> Settled:
        """See `Seat`."""
        session = self._session
        settled = self._from_session(session, stanza)
        if session.sm is not None:
            session.received(settled)
        return settled

    def said_otherwise(self, event: Nonza | Misaddressed) -> None:
        """See `Seat`."""
        if isinstance(event, Misaddressed):
            self._domain.bounce(event.stanza, event.error)
            self._session.received(None)
        else:
            self._domain.entrance.nonza(self._session, event)

    def go_on(self) -> None:
        """See `Seat`."""
        assert self._session.sm is not None
        self._way.write(self._session.sm.resend())
        self._session.move(*self._way)

    def wrote(self, size_bytes: int) -> None:
        """See `Seat`."""
        self._session.wrote(size_bytes)

    def pause(self) -> None:
        """See `Seat`."""
        self._session.pause()

    def resume(self) -> None:
        """See `Seat`."""
        self._session.resume()

    def lost(self) -> None:
        """A session that can be resumed waits for its client (XEP-0198 section 5)."""
        if self._session.sm is not None and self._session.sm.id:
            Hibernation(self._session, self._clock, self._domain.session_gone)
        else:
            self._domain.session_gone(self._session)

    def closed(self) -> None:
        """See `Seat`."""
        self._session.flush()
        self._domain.session_gone(self._session)


class Seats:
    """Gives streams their seats."""

    def __init__(self, domain: Domain, clock: Clock, turn: Turn, new_id: Callable[[], str]) -> None:
        self._domain = domain
        self._clock = clock
        self._turn = turn
        self._new_id = new_id

    async def bind(self, localpart: str, resource: str | None, way: Way, *, temporary: bool) -> Seat | StanzaError:
        """RFC 6120 section 7.6 and 7.7: the resource that was asked for, also where an older session has it.

        `temporary`: an account that lasts as long as the session.
        """
        accounts = self._domain.accounts
        account = accounts.temporary(localpart) if temporary else await accounts.load(localpart)
        if account is None:
            return StanzaError(Condition.NOT_ALLOWED, "the account was removed")
        try:
            jid = account.jid.with_resource(resource or self._new_id())
        except JidError:
            jid = account.jid.with_resource(mended_resourcepart(resource or "") or self._new_id())
        if len(account.sessions) >= MAX_SESSIONS and jid.resourcepart not in account.sessions:
            return StanzaError(Condition.RESOURCE_CONSTRAINT, f"an account has at most {MAX_SESSIONS} sessions")
        older = account.sessions.get(jid.resourcepart)
        if older is not None:
            older.end(StreamCondition.CONFLICT, "the same resource connected again")
        session = Session(account, jid, self._turn, *way, self._domain.context.now_utc_s)
        accounts.attach(session)
        return LocalSeat(session, self._domain, self._clock, way)

    async def resume(self, localpart: str, sm_id: str, h: int, way: Way) -> Seat | None:
        """The seat of the session of that id, whose client has handled `h`; None where there is none (XEP-0198).

        Raises StreamError for an `h` that cannot be.
        """
        session = find(self._domain.accounts.online.get(localpart), sm_id)
        if session is None:
            return None
        Hibernation(session, self._clock, self._domain.session_gone)
        if not await ready(session) or session.sm is None:
            return None
        session.sm.acknowledged(h)
        return LocalSeat(session, self._domain, self._clock, way)
