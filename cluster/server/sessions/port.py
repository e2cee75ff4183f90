"""The session of a bound client stream, at this node or at another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from typing_extensions import override

from cluster.base.settled import Settled
from cluster.server.domain import Domain
from cluster.server.sessions.session import Session
from cluster.xmpp.errors import StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Nonza
from cluster.xmpp.streams.sm import StreamManagement


class StreamHandle(NamedTuple):
    """What a session can do with the stream of its client."""

    write: Callable[[bytes], None]
    end: Callable[[StreamError], None]
    """Close the stream with an error."""
    leave: Callable[[], None]
    """Detach from the stream: the session continues with another one."""


class SessionPort(Protocol):
    """One bound resource, on the side of its stream; `on_connection_lost`, `on_stream_closed` or `on_shutdown` is its
    last call."""

    __slots__ = ()

    @property
    def jid(self) -> Jid:
        """The full JID."""

    @property
    def management(self) -> StreamManagement | None:
        """What its stream has counted so far, where it is managed (XEP-0198)."""

    def on_stanza(self, stanza: Stanza) -> Settled:
        """The client sent a stanza; its `from` is stamped."""

    def on_answered_stanza(self) -> None:
        """The client sent a stanza that was answered already; a managed stream counts it."""

    def nonza(self, nonza: Nonza) -> None:
        """The client sent an element that is not a stanza. Raises StreamError."""

    @property
    def answer(self) -> bytes:
        """What its client is told of the features that it got together with it (XEP-0386)."""

    def on_resumed(self) -> None:
        """The stream was resumed, and the client knows: send what it missed."""

    def on_told(self) -> None:
        """The client knows that it is bound, together with its login: send what came since."""

    def on_bytes_written(self, size_bytes: int) -> None:
        """The stream itself wrote to the client."""

    def pause(self) -> None:
        """The client does not read."""

    def resume(self) -> None:
        """The client reads again."""

    def on_connection_lost(self) -> None:
        """The connection broke."""

    def on_stream_closed(self) -> None:
        """The stream was ended."""

    def on_shutdown(self) -> None:
        """The stream is ended because its server stops."""


class LocalSession(SessionPort):
    """The port of a session in this process."""

    __slots__ = ("_answer", "_domain", "_from_session", "_handle", "_session", "_told")

    def __init__(
        self,
        session: Session,
        domain: Domain,
        handle: StreamHandle,
        answer: bytes = b"",
        told: Callable[[Session], None] | None = None,
    ) -> None:
        """`told` is called when the client knows of the session."""
        self._answer = answer
        self._told = told
        self._session = session
        self._domain = domain
        self._handle = handle
        self._from_session = domain.ingress.from_session

    @property
    @override
    def jid(self) -> Jid:
        return self._session.jid

    @property
    @override
    def management(self) -> StreamManagement | None:
        return self._session.sm

    @property
    @override
    def answer(self) -> bytes:
        return self._answer

    @override
    def on_stanza(self, stanza: Stanza) -> Settled:
        session = self._session
        settled = self._from_session(session, stanza)
        if session.sm is not None:
            session.received(settled, stanza.kind)
        return settled

    @override
    def on_answered_stanza(self) -> None:
        self._session.received(None)

    @override
    def nonza(self, nonza: Nonza) -> None:
        self._domain.ingress.nonza(self._session, nonza)

    @override
    def on_resumed(self) -> None:
        assert self._session.sm is not None
        self._handle.write(self._session.sm.resend())
        self._session.move(*self._handle)

    @override
    def on_told(self) -> None:
        if self._told is not None:
            self._told(self._session)

    @override
    def on_bytes_written(self, size_bytes: int) -> None:
        self._session.wrote(size_bytes)

    @override
    def pause(self) -> None:
        self._session.pause()

    @override
    def resume(self) -> None:
        self._session.resume()

    @override
    def on_connection_lost(self) -> None:
        """A session that can be resumed waits for its client (XEP-0198 section 5)."""
        if self._session.is_resumable:
            self._domain.hibernate(self._session)
        else:
            self._domain.session_gone(self._session)

    @override
    def on_stream_closed(self) -> None:
        self._session.finish()
        self._domain.session_gone(self._session)

    @override
    def on_shutdown(self) -> None:
        if self._session.is_resumable:
            self.on_connection_lost()
        else:
            self.on_stream_closed()
