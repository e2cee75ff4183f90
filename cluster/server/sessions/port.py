"""What a client's stream talks to once it is bound: the seat of its session."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from cluster.base.settled import Settled
from cluster.server.domain import Domain
from cluster.server.sessions.session import Session
from cluster.xmpp.errors import StreamError
from cluster.xmpp.events import Nonza
from cluster.xmpp.jid import Jid
from cluster.xmpp.sm import StreamManagement
from cluster.xmpp.stanza import Stanza


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

    def counted(self) -> None:
        """It sent a stanza that was answered already; a managed stream counts it."""

    def nonza(self, nonza: Nonza) -> None:
        """It sent what is no stanza. Raises StreamError."""

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

    def stopped(self) -> None:
        """The stream is ended because its server stops."""


class LocalSeat:
    """A `Seat` of a session in this process."""

    __slots__ = ("_domain", "_from_session", "_session", "_way")

    def __init__(self, session: Session, domain: Domain, way: Way) -> None:
        self._session = session
        self._domain = domain
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
            session.received(settled, stanza.kind)
        return settled

    def counted(self) -> None:
        """See `Seat`."""
        self._session.received(None)

    def nonza(self, nonza: Nonza) -> None:
        """See `Seat`."""
        self._domain.entrance.nonza(self._session, nonza)

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
        if self._session.is_resumable:
            self._domain.hibernate(self._session)
        else:
            self._domain.session_gone(self._session)

    def closed(self) -> None:
        """See `Seat`."""
        self._session.finish()
        self._domain.session_gone(self._session)

    def stopped(self) -> None:
        """See `Seat`."""
        if self._session.is_resumable:
            self.lost()
        else:
            self.closed()
