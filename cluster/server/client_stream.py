"""A client's connection: the Twisted side of `ReceivingStream`, with TLS, logins and sessions."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from cluster.server import hibernation
from cluster.server.connection import StreamConnection
from cluster.server.hibernation import Hibernation
from cluster.server.module import Peer
from cluster.server.session import Session
from cluster.xmpp import features, sasl
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.events import (
    BindRequested,
    Closed,
    Event,
    KeysWanted,
    Misaddressed,
    Nonza,
    PasswordGiven,
    RequestBeforeLogin,
    ResumeRequested,
    TlsWanted,
)
from cluster.xmpp.jid import JidError
from cluster.xmpp.receiving import ReceivingStream
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.states import State

if TYPE_CHECKING:
    from cluster.server.c2s import C2s

HEADER_TIMEOUT_S = 10.0
"""From the connection to the stream header."""
LOGIN_TIMEOUT_S = 60.0
"""From the connection to the bound resource."""
MAX_SESSIONS = 64
"""Resources of one account at the same time."""
MAX_UNSETTLED = 16
"""Batches of a client's stanzas that may be on their way to safety before we stop reading from it: up to 1 MiB."""


@implementer(IHandshakeListener)
class ClientStream(StreamConnection):
    """One client's connection."""

    first_timeout_s = HEADER_TIMEOUT_S
    max_unsettled = MAX_UNSETTLED
    _stream: ReceivingStream

    def __init__(self, shared: C2s, connections: set[ClientStream]) -> None:
        super().__init__(ReceivingStream(shared.options, shared.new_id), shared.clock, connections)
        self._shared = shared
        self._domain = shared.domain
        self._entrance = shared.domain.entrance
        self._session: Session | None = None
        self._greeted = False
        self._idle = False

    # --- the connection

    @property
    def _outbox(self) -> Session | None:
        return self._session

    def dataReceived(self, data: bytes) -> None:
        """Feed, drain, write: the one rhythm."""
        self._idle = False
        self._stream.receive_data(data)
        self._drain()
        if not self._greeted and self._stream.state not in (State.OPENING, State.CLOSED):
            self._greeted = True
            self._limit(LOGIN_TIMEOUT_S)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, with or without a goodbye."""
        self._connections.discard(self)
        self._limit(None)
        self._stream.close()  # an answer that is still on its way must not bind a session to nothing
        session, self._session = self._session, None
        if session is not None and session.sm is not None and session.sm.id:
            self._hibernate(session)
        elif session is not None:
            self._domain.session_gone(session)

    def rest_if_idle(self) -> None:
        """Called now and then: what was silent since the last call is put to rest."""
        if self._idle:
            self._stream.rest()
        self._idle = True

    def handshakeCompleted(self) -> None:
        """TLS is up: gather its channel bindings (RFC 5929 section 4, RFC 9266)."""
        connection: SSL.Connection = self.transport.getHandle()
        bindings: dict[str, bytes] = {}
        # with TLS 1.2 clients would try tls-unique, which cannot be had here; they log in without binding
        if connection.get_protocol_version_name() == "TLSv1.3":
            exported = connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
            bindings = {sasl.EXPORTER: exported, sasl.END_POINT: self._shared.end_point}
        self._stream.tls_started(bindings)
        self._drain()

    # --- what the stream says

    def _drain(self) -> None:
        for event in self._stream.events():
            session = self._session
            if type(event) is Stanza and session is not None:
                settled = self._entrance.from_session(session, event)
                if session.sm is not None:
                    session.received(settled)
                if settled is not None:
                    self._unsettled.add(settled)
            else:
                self._on_event(event)
        self._write_output()

    def _write_output(self) -> None:
        if data := self._stream.data_to_send():
            self.transport.write(data)
            if self._session is not None:
                self._session.wrote(len(data))

    def _on_event(self, event: Event) -> None:
        match event:
            case TlsWanted():
                self.transport.write(self._stream.data_to_send())
                self.transport.startTLS(self._shared.tls)
            case KeysWanted():
                keys = self._domain.credentials.keys(event.localpart, event.hash_name)
                self._answer(keys, self._stream.keys_found, self._login_unavailable)
            case PasswordGiven():
                checked = self._domain.credentials.check(event.localpart, event.password)
                self._answer(checked, self._stream.password_checked, self._login_unavailable)
            case RequestBeforeLogin():
                is_private = features.is_private(self._shared.options, self._stream.secure)
                peer = Peer(self.transport.getPeer().host, is_private, self._log_in)
                self._answer(self._entrance.before_login(event.stanza, peer), self._request_answered)
            case BindRequested():
                self._answer(self._bind(self._stream.localpart, event.resource), self._bound)
            case ResumeRequested():
                self._answer(self._resume(event.previd), partial(self._resumed, event.h))
            case Nonza() | Misaddressed():
                if self._session is not None:
                    self._on_odd(self._session, event)
            case Closed():
                self._on_closed(event)

    def _on_odd(self, session: Session, event: Nonza | Misaddressed) -> None:
        """What a bound client sent that is no stanza, or none that can be routed."""
        if isinstance(event, Misaddressed):
            self._domain.bounce(event.stanza, event.error)
            session.received(None)
            return
        self._write_output()  # what a module writes comes behind it
        try:
            self._entrance.nonza(session, event)
        except StreamError as error:
            self.fail(error)

    def _answer(
        self,
        asked: Coroutine[Any, Any, Any] | Deferred[Any],
        answer: Callable[[Any], None],
        unanswered: Callable[[Failure], None] | None = None,
    ) -> None:
        """Hand the result to the stream, which waits for it. Without, `unanswered` is called, or the stream ends."""
        deferred = asked if isinstance(asked, Deferred) else Deferred.fromCoroutine(asked)
        if unanswered is not None:
            deferred.addCallbacks(self._answered, unanswered, callbackArgs=(answer,))
        else:
            deferred.addCallback(self._answered, answer)
        deferred.addErrback(self._on_failure)

    def _answered(self, result: Any, answer: Callable[[Any], None]) -> None:
        if self._stream.state is not State.CLOSED:
            answer(result)
            self._drain()

    def _on_failure(self, failure: Failure) -> None:
        self._log.failure("a client's stream failed", failure)
        self.fail(StreamError(StreamCondition.INTERNAL_SERVER_ERROR))

    def _login_unavailable(self, failure: Failure) -> None:
        self._log.failure("a login could not be checked", failure)
        self._stream.login_unavailable()
        self._drain()

    async def _bind(self, localpart: str, resource: str | None) -> Session | StanzaError:
        """RFC 6120 section 7.6 and 7.7: the resource that was asked for, also where an older session has it."""
        accounts = self._domain.accounts
        account = accounts.temporary(localpart) if self._stream.is_anonymous else await accounts.load(localpart)
        if account is None:
            return StanzaError(Condition.NOT_ALLOWED, "the account was removed")
        try:
            jid = account.jid.with_resource(resource or self._shared.new_id())
        except JidError as error:
            return StanzaError(Condition.BAD_REQUEST, str(error))
        if len(account.sessions) >= MAX_SESSIONS and jid.resourcepart not in account.sessions:
            return StanzaError(Condition.RESOURCE_CONSTRAINT, f"an account has at most {MAX_SESSIONS} sessions")
        older = account.sessions.get(jid.resourcepart)
        if older is not None:
            older.end(StreamCondition.CONFLICT, "the same resource connected again")
        now_utc_s = self._domain.context.now_utc_s
        return Session(account, jid, self._shared.turn, self.transport.write, self.fail, self._leave, now_utc_s)

    def _bound(self, result: Session | StanzaError) -> None:
        if isinstance(result, StanzaError):
            self._stream.bind_refused(result)
            return
        self._attach(result)
        self._stream.bound(result.jid)

    def _attach(self, session: Session) -> None:
        self._domain.accounts.attach(session)
        self._serve(session)

    def _serve(self, session: Session) -> None:
        self._session = session
        self._limit(None)
        self.transport.registerProducer(self, True)

    async def _log_in(self, localpart: str, resource: str) -> None:
        """A request before the login is one itself (XEP-0078): its reply comes after this. Raises StanzaError."""
        result = await self._bind(localpart, resource)
        if isinstance(result, StanzaError):
            raise result
        if self._stream.state is not State.CLOSED:
            self._attach(result)

    def _request_answered(self, reply: Stanza) -> None:
        if self._session is not None:
            self._stream.logged_in(self._session.jid, reply)
        else:
            self._stream.request_answered(reply)

    # --- resumption (XEP-0198 section 5)

    def _hibernate(self, session: Session) -> None:
        Hibernation(session, self._shared.clock, self._domain.session_gone)

    async def _resume(self, sm_id: str) -> Session | None:
        """The session of that id, with no stream any more; None where there is none."""
        session = hibernation.find(self._domain.accounts.online.get(self._stream.localpart), sm_id)
        if session is None:
            return None
        self._hibernate(session)
        return session if await hibernation.ready(session) else None

    def _resumed(self, h: int, session: Session | None) -> None:
        if session is None or session.sm is None:
            self._stream.resume_refused(Condition.ITEM_NOT_FOUND)
            return
        try:
            session.sm.acknowledged(h)
        except StreamError as error:
            self.fail(error)
            return
        self._serve(session)
        self._stream.resumed(session.jid, session.sm)
        self._write_output()
        self.transport.write(session.sm.resend())
        session.move(self.transport.write, self.fail, self._leave)

    def _leave(self) -> None:
        """The session goes on with another stream."""
        if self._session is not None:
            self._session = None
            self.transport.unregisterProducer()
            self.fail(StreamError(StreamCondition.CONFLICT, "the session was resumed on another stream"))

    def _on_closed(self, closed: Closed) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.flush()
            self.transport.unregisterProducer()
            self._domain.session_gone(session)
        if closed.reason:
            self._log.info("stream of {who} ended: {reason}", who=self._stream.jid or "a client", reason=closed.reason)
        self._hang_up()
