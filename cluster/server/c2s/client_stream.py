"""A client's connection: the Twisted side of `ReceivingStream`, with TLS, logins and sessions."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from cluster.base.storage import log_failed
from cluster.host.module import Peer
from cluster.server.c2s.opening import opened
from cluster.server.sessions.binder import Wish
from cluster.server.sessions.port import SessionPort, StreamHandle
from cluster.streams.backpressure import UNANSWERED
from cluster.streams.connection import StreamConnection
from cluster.streams.peer_clock import PeerClock
from cluster.streams.tls_layer import rest
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import (
    BindRequested,
    Closed,
    Event,
    KeysWanted,
    Misaddressed,
    Nonza,
    PasswordGiven,
    RequestBeforeLogin,
    ResumeRequested,
    SessionWanted,
    TlsWanted,
    TokenGiven,
    TokenWanted,
)
from cluster.xmpp.streams.receiving import ReceivingStream
from cluster.xmpp.streams.sasl2 import Opened
from cluster.xmpp.streams.states import State

if TYPE_CHECKING:
    from cluster.server.c2s.client_streams import C2s

_Taken = TypeVar("_Taken", SessionPort | StanzaError, SessionPort | int | None)

HEADER_TIMEOUT_S = 10.0
"""Time limit from the connection to the stream header."""
LOGIN_TIMEOUT_S = 60.0
"""Time limit from the stream header, or the last request that was granted before the login, to the bound resource."""
MAX_UNSETTLED = 16
"""Batches of a client's stanzas that may be unsettled before the server stops reading from it: up to 1 MiB."""


@implementer(IHandshakeListener)
class ClientStream(StreamConnection):
    """One client's connection."""

    first_timeout_s = HEADER_TIMEOUT_S
    max_unsettled = MAX_UNSETTLED
    _stream: ReceivingStream

    def __init__(self, shared: C2s, clock: PeerClock, connections: dict[ClientStream, None]) -> None:
        super().__init__(ReceivingStream(shared.options, shared.new_id), shared.clock, clock, connections)
        self._shared = shared
        self._domain = shared.domain
        self._entrance = shared.domain.ingress
        self._session: SessionPort | None = None
        self._greeted = False
        self._idle = self._rests = False
        self._owes_answer = False
        self._asks = False

    # --- the connection

    @property
    def refused_logins(self) -> int:
        """On this stream."""
        return self._stream.login.refused

    @property
    def _outbox(self) -> SessionPort | None:
        return self._session

    def dataReceived(self, data: bytes) -> None:
        """Called with bytes of the client."""
        self._idle = self._rests = False
        super().dataReceived(data)
        if not self._greeted and self._stream.state not in (State.OPENING, State.CLOSED):
            self._greeted = True
            self._limit(LOGIN_TIMEOUT_S)
        if self._owes_answer and self._stream.has_unread:
            self._reading.pauseProducing(UNANSWERED)  # otherwise later input would pile up

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Called when the connection is gone, with or without a goodbye."""
        self._connections.pop(self, None)
        self._drain_rest()
        self._limit(None)
        self._entrance.refused_logins += self.refused_logins
        self._stream.close()  # a pending answer must not bind a session to a closed stream
        session, self._session = self._session, None
        if session is not None:
            self._log.debug("the connection of {who} is gone", who=str(session.jid))
            session.on_connection_lost()

    def shut_down(self) -> None:
        """End the stream because the server stops. A client that can resume its session reconnects later."""
        session, self._session = self._session, None
        if session is not None:
            session.on_shutdown()
        self.fail(StreamError(StreamCondition.SYSTEM_SHUTDOWN))

    def _on_timeout(self) -> None:
        if self._owes_answer and self._stream.state is not State.CLOSED:
            self._limit(LOGIN_TIMEOUT_S)  # from now on the server waits for the client
        else:
            super()._on_timeout()

    def rest_if_idle(self) -> None:
        """Called now and then: put to rest what was silent since the last call."""
        if self._idle and not self._rests:
            self._rests = True
            self._stream.rest()
            rest(self.transport)
        self._idle = True

    def secured(self) -> None:
        """TLS ends outside this connection, so there is no channel binding."""
        self._stream.tls_started({})

    def handshakeCompleted(self) -> None:
        """TLS is up: gather its channel bindings (RFC 5929 section 4, RFC 9266)."""
        connection: SSL.Connection = self.transport.getHandle()
        bindings: dict[str, bytes] = {}
        # with TLS 1.2, clients would try tls-unique, which is not available; they log in without channel binding
        if connection.get_protocol_version_name() == "TLSv1.3":
            exported = connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
            bindings = {sasl.EXPORTER: exported, sasl.END_POINT: self._shared.end_point}
        self._stream.tls_started(bindings)
        self._drain()

    # --- events of the stream

    def _write_output(self) -> None:
        if data := self._stream.data_to_send():
            self.transport.write(data)
            if self._session is not None:
                self._session.on_bytes_written(len(data))

    def _on_event(self, event: Event) -> None:
        session = self._session
        if type(event) is Stanza and session is not None:
            settled = session.on_stanza(event)
            if settled is not None:
                self._unsettled.add(settled)
        elif session is not None and (type(event) is Nonza or type(event) is Misaddressed):
            self._on_odd(session, event)
        else:
            self._on_step(event)

    def _on_step(self, event: Event) -> None:
        """A step towards a session, or the end of one."""
        match event:
            case TlsWanted():
                self.transport.write(self._stream.data_to_send())
                self._shared.start_tls(self.transport)
            case KeysWanted():
                keys = self._domain.credentials.keys(event.localpart, event.hash_name)
                self._answer(keys, self._stream.keys_found, self._login_unavailable)
            case PasswordGiven():
                checked = self._domain.credentials.check(event.localpart, event.password)
                self._answer(checked, self._stream.password_checked, self._login_unavailable)
            case TokenGiven():
                checked_token = self._domain.tokens.check(event)
                self._answer(checked_token, self._token_checked, self._login_unavailable)
            case SessionWanted():
                opening = opened(event, self._domain.tokens, self._resume, self._bind)
                self._answer(opening, self._opened, self._login_unavailable)
            case RequestBeforeLogin():
                is_private = self._shared.options.is_private(self._stream.secure)
                peer = Peer(self.transport.getPeer().host, is_private, self._log_in)
                self._answer(self._entrance.before_login(event.stanza, peer), self._request_answered)
            case BindRequested():
                self._answer(self._bind(self._stream.localpart, event.resource), self._bound)
            case ResumeRequested():
                self._answer(self._resume(self._stream.localpart, event), self._resumed)
            case Closed():
                self._on_closed(event)

    def _on_odd(self, session: SessionPort, event: Nonza | Misaddressed) -> None:
        """An element of a bound client that is not a stanza, or a stanza that cannot be routed."""
        if isinstance(event, Misaddressed):
            self._domain.routing.bounce(event.stanza, event.error)
            session.on_answered_stanza()
            return
        self._write_output()  # a module's bytes go after it
        try:
            session.nonza(event)
        except StreamError as error:
            self.fail(error)

    def _answer(
        self,
        asked: Coroutine[Any, Any, Any] | Deferred[Any],
        answer: Callable[[Any], Event | None],
        unanswered: Callable[[Failure], None] | None = None,
    ) -> None:
        """Pass the result to the stream, which waits for it, and may ask on. Without a result, call `unanswered`, or
        end the stream."""
        asks, self._asks = self._asks, True
        self._owes_answer = True
        deferred = asked if isinstance(asked, Deferred) else Deferred.fromCoroutine(asked)
        deferred.addBoth(self._settled)
        if unanswered is not None:
            deferred.addCallbacks(self._answered, unanswered, callbackArgs=(answer,))
        else:
            deferred.addCallback(self._answered, answer)
        deferred.addErrback(self._on_failure)
        self._asks = asks

    def _settled(self, result: Any) -> Any:
        self._owes_answer = False
        self._reading.resumeProducing(UNANSWERED)
        return result

    def _answered(self, result: Any, answer: Callable[[Any], Event | None]) -> None:
        if self._stream.state is not State.CLOSED:
            if (next_question := answer(result)) is not None:
                self._on_step(next_question)
            self._go_on()

    def _go_on(self) -> None:
        """An answer is there: at once, so that the stream continues by itself, or later."""
        if not self._asks:
            self._drain()

    def _on_failure(self, failure: Failure) -> None:
        self._log.failure("a client's stream failed", failure)
        self.fail(StreamError(StreamCondition.INTERNAL_SERVER_ERROR))

    def _login_unavailable(self, failure: Failure) -> None:
        log_failed(self._log, "Checking a login", failure)
        self._stream.login_unavailable()
        self._go_on()

    # --- its session

    @property
    def _handle(self) -> StreamHandle:
        return StreamHandle(self.transport.write, self.fail, self._leave)

    async def _bind(self, localpart: str, wish: Wish) -> SessionPort | StanzaError:
        binder, temporary = self._shared.binder, self._stream.is_anonymous
        return self._take(await binder.bind(localpart, wish, self._handle, temporary=temporary))

    async def _resume(self, localpart: str, event: ResumeRequested) -> SessionPort | StreamError | int | None:
        try:
            return self._take(await self._shared.binder.resume(localpart, event.previd, event.h, self._handle))
        except StreamError as error:
            return error

    def _opened(self, result: Opened | StanzaError | StreamError) -> None:
        if isinstance(result, StreamError):
            return self.fail(result)
        if isinstance(result, StanzaError):
            return self._stream.opening_refused(result)
        self._stream.opened(result)
        self._write_output()
        if self._session is not None:
            self._session.on_told() if result.resumed is None else self._session.on_resumed()

    def _token_checked(self, result: tuple[bytes | sasl.SaslError, TokenWanted | None]) -> Event | None:
        return self._stream.token_checked(*result)

    def _take(self, session: _Taken) -> _Taken:
        if isinstance(session, StanzaError | int) or session is None:
            return session
        if self._stream.state is State.CLOSED:  # meanwhile
            session.on_connection_lost()
            return session
        self._session = session
        self._flows()
        self._limit(None)
        self._log.debug("{who} is here, from {peer}", who=str(session.jid), peer=self.transport.getPeer())
        if self._stream.claimed is not None:
            detail = "the stream's from is not who logged in (RFC 6120 section 6.4.6)"
            self._domain.tracer.note("stream", self._stream.claimed, session.jid, detail)
        return session

    def _bound(self, result: SessionPort | StanzaError) -> None:
        if isinstance(result, StanzaError):
            self._stream.bind_refused(result)
        else:
            self._stream.bound(result.jid)

    async def _log_in(self, localpart: str, resource: str) -> None:
        """A request before the login may be a login (XEP-0078): its reply comes after this. Raises StanzaError."""
        result = await self._bind(localpart, resource)
        if isinstance(result, StanzaError):
            raise result

    def _request_answered(self, reply: Stanza) -> None:
        if self._session is not None:
            self._stream.logged_in(self._session.jid, reply)
        else:
            self._stream.request_answered(reply)
            if reply.type == "result":  # a user is filling in a form, and needs time
                self._limit(LOGIN_TIMEOUT_S)

    def _resumed(self, result: SessionPort | StreamError | int | None) -> None:
        if isinstance(result, StreamError):
            self.fail(result)
        elif result is None or isinstance(result, int) or result.management is None:
            self._stream.resume_refused(Condition.ITEM_NOT_FOUND, result if isinstance(result, int) else None)
        else:
            self._stream.resumed(result.jid, result.management)
            self._write_output()
            result.on_resumed()

    def _leave(self) -> None:
        """The session continues with another stream."""
        if self._session is not None:
            self._session = None
            self.fail(StreamError(StreamCondition.CONFLICT, "the session was resumed on another stream"))

    def _on_closed(self, closed: Closed) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.on_stream_closed()
        if closed.reason:
            self._log.info("stream of {who} ended: {reason}", who=self._stream.jid or "a client", reason=closed.reason)
        self._await_end()
