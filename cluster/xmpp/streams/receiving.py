"""The receiving side of a client's stream (RFC 6120 sections 4 to 7): bytes in, events and bytes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams import header as headers
from cluster.xmpp.streams import sasl, sasl2, sm
from cluster.xmpp.streams.binding import ResourceBinding
from cluster.xmpp.streams.events import Event, Misaddressed, Nonza, SessionWanted, TokenWanted
from cluster.xmpp.streams.feature import NO_BINDINGS, Fact, Facts, StreamKind, before_login, offered, taking
from cluster.xmpp.streams.features.clients import CLIENTS
from cluster.xmpp.streams.login import LoginExchange
from cluster.xmpp.streams.sasl2 import Authenticate, Opened
from cluster.xmpp.streams.stamp import MalformedTo, Stamp
from cluster.xmpp.streams.states import TRANSITIONS, Input, State
from cluster.xmpp.streams.stream import Stream
from cluster.xmpp.streams.stream_options import StreamOptions


class ReceivingStream(Stream[Event]):
    """One client's stream."""

    CLOSED = State.CLOSED

    def __init__(self, options: StreamOptions, new_id: Callable[[], str], kind: StreamKind = CLIENTS) -> None:
        """`new_id` gives unpredictable ids: stream ids and SCRAM nonces (RFC 6120 section 4.7.3)."""
        super().__init__(options.limits)
        self.content_namespace = kind.content_namespace
        self.options = options
        self.bindings: Mapping[str, bytes] = NO_BINDINGS
        self.login = LoginExchange(options.domain, new_id)
        self.binding = ResourceBinding()
        self.inline: Authenticate | None = None
        self.refused_requests = 0
        self.state: State = State.OPENING
        self.secure = False
        self.localpart = ""
        self.jid: Jid | None = None
        self.claimed: Jid | None = None
        """The sender that the stream header claimed, if the login was another account's."""
        self._features = kind.features
        self._new_id = new_id
        self._is_managed = False
        self._data: str | bytes = ""  # of the mechanism, for <success>
        self._header: StreamHeader | None = None
        self._stamp: Stamp | None = None

    @property
    def is_anonymous(self) -> bool:
        """Its login was SASL ANONYMOUS: there is no account of that name."""
        return self.login.is_anonymous

    def send(self, stanza: Stanza) -> None:
        """Queue a stanza for the peer; after the end of the stream it is dropped."""
        if self.state is not State.CLOSED:
            self._output.append(stanza.raw)

    # --- answers to events; ignored if the stream ended meanwhile

    def _resume(self) -> bool:
        self._waiting = False
        return self.state is not State.CLOSED

    def tls_started(self, bindings: Mapping[str, bytes]) -> None:
        """TLS is up; `bindings` is its channel binding data by type. The stream restarts (RFC 6120 section 5.4.3.3)."""
        if self._resume():
            self.move(Input.TLS_STARTED)
            self.secure = True
            self.bindings = bindings
            self._restart()

    def request_answered(self, reply: Stanza) -> None:
        """The reply to a request before the login."""
        if self._resume():
            self.refused_requests += reply.type == "error"
            self.send(reply)

    def logged_in(self, jid: Jid, reply: Stanza) -> None:
        """The request before the login was a login (XEP-0078): stanzas flow from now on, stamped with `jid`."""
        if self._resume():
            self.move(Input.LOGIN_BY_IQ)
            self.send(reply)
            self._flow(jid)

    def login_unavailable(self) -> None:
        """The login cannot be checked now (RFC 6120 section 6.5.11)."""
        if self._resume():
            self.refuse_login(sasl.SaslError(sasl.SaslCondition.TEMPORARY_AUTH_FAILURE))

    def keys_found(self, keys: sasl.Keys) -> None:
        """The account's keys; for an unknown account, keys that match no password."""
        if self._resume():
            try:
                self._output.append(sasl.framed("challenge", self.login.challenge(keys), self.login.profile))
            except sasl.SaslError as error:
                self.refuse_login(error)

    def password_checked(self, accepted: bool) -> Event | None:
        """Whether the password of PLAIN is the account's. Returns the next question, if there is one."""
        if self._resume():
            if accepted:
                return self.accept_login()
            self.refuse_login(sasl.SaslError(sasl.SaslCondition.NOT_AUTHORIZED))
        return None

    def token_checked(self, answer: bytes | sasl.SaslError, renew: TokenWanted | None = None) -> Event | None:
        """The server's part of the mechanism, or why the token is not accepted; `renew`: a new token is due. Returns
        the next question, if there is one."""
        if self._resume():
            if isinstance(answer, bytes):
                return self.accept_login(answer, renew)
            self.refuse_login(answer)
        return None

    def opened(self, opened: Opened) -> None:
        """The client has what it wanted together with its login (XEP-0388 section 2.6.1)."""
        if self._resume():
            self._succeed(opened)

    def opening_refused(self, error: StanzaError) -> None:
        """The client gets no resource, and so no login; it may try again."""
        if self._resume():
            self.refuse_login(sasl.SaslError(sasl.SaslCondition.TEMPORARY_AUTH_FAILURE, error.text))

    def bound(self, jid: Jid) -> None:
        """The peer has the resource (RFC 6120 section 7): stanzas flow from now on, stamped with `jid`."""
        if self._resume():
            self.move(Input.RESOURCE_BOUND)
            self.send(self.binding.accept(jid))
            self._flow(jid)

    def resumed(self, jid: Jid, management: sm.StreamManagement) -> None:
        """The peer's former stream is resumed (XEP-0198 section 5); missed stanzas follow."""
        if self._resume():
            self.move(Input.STREAM_RESUMED)
            self._output.append(sm.resumed(management))
            self._flow(jid)

    def resume_refused(self, condition: Condition, h: int | None = None) -> None:
        """There is no such stream; the peer may bind a resource instead (XEP-0198 section 5).

        `h`: the count of the ended stream, if it is known.
        """
        if self._resume():
            self._output.append(sm.failed(condition, h))

    def _flow(self, jid: Jid) -> None:
        self.jid = jid
        assert self._header is not None
        self._stamp = Stamp(jid, self._header.content_namespace, self._header.lang)
        self._header, self.bindings = None, NO_BINDINGS  # of the negotiation, which is over

    def bind_refused(self, error: StanzaError) -> None:
        """The peer does not get that resource; it may ask for another one."""
        if self._resume():
            self.send(self.binding.refuse(error))

    # --- the negotiation

    def move(self, what: Input) -> None:
        try:
            self.state = TRANSITIONS[self.state][what]
        except KeyError:
            raise StreamError(
                StreamCondition.POLICY_VIOLATION, f"no {what} is expected while the stream is {self.state}"
            ) from None

    def _handle(self, child: StreamHeader | Slice | StreamEnd) -> Event | None:
        if (stamp := self._stamp) is not None and type(child) is Slice:
            if child.name not in stamp.kinds and self._is_offered(child):
                return Nonza(child.name, child.attributes)
            try:
                return stamp(child)
            except MalformedTo as error:
                return Misaddressed(error.stanza, StanzaError(Condition.JID_MALFORMED, error.text))
        if isinstance(child, StreamHeader):
            self._on_header(child)
            return None
        if isinstance(child, StreamEnd):
            return self.close()  # in every state that reads (Input.END)
        feature = taking(self._features, self, child.name)
        take = feature and feature.handler(child.name)
        if not take:
            raise before_login(child)
        try:
            return take(self, child)
        except sasl.SaslError as error:
            self.refuse_login(error)
            return None

    # --- for the features

    @property
    def facts(self) -> Facts:
        """What has been negotiated."""
        authenticated = Fact.AUTHENTICATED if self.localpart or self.jid else 0
        bound = (Fact.BOUND if self.jid else 0) | (Fact.MANAGED if self._is_managed else 0)
        return (Fact.SECURE if self.secure else 0) | authenticated | bound

    @property
    def has_more(self) -> bool:
        """The peer has sent further input."""
        return bool(self._inbox or self._parser.pending_bytes)

    def write(self, data: bytes) -> None:
        """Queue bytes for the peer."""
        self._output.append(data)

    def ask(self, event: Event) -> Event:
        """Handle nothing more until the event is answered."""
        self._waiting = True
        return event

    def end(self, reason: str) -> Event:
        """End the stream."""
        return self.close(reason)

    def expect_header(self) -> None:
        """The next header of the peer is answered with ours."""
        self._header_sent = False

    def _on_header(self, header: StreamHeader) -> None:
        self._header = header
        self.move(Input.HEADER)
        headers.check(header, self.options.domain, self.content_namespace)
        self._open_if_needed()
        self._offer()

    def _offer(self) -> None:
        written, what = self.options.written, (self.content_namespace, self.facts, *self.bindings)
        if what not in written:
            written[what] = xml.serialize(offered(self._features, self))
        self._output.append(written[what])

    def _own_header(self) -> bytes:
        return headers.answer(self._header, self.options.domain, self._new_id(), self.content_namespace)

    def accept_login(self, data: str | bytes = "", renew: TokenWanted | None = None) -> Event | None:
        claimed = headers.sender(self._header) if self.secure else None
        if claimed not in (None, Jid(self.login.localpart, self.options.domain)) and not self.is_anonymous:
            self.claimed = claimed  # RFC 6120 section 6.4.6: what TLS protects comes from the client itself
            if self.options.strict:
                return self.fail(StreamError(StreamCondition.INVALID_FROM, f"the login is not that of {claimed}"))
        ahead = StreamError(StreamCondition.POLICY_VIOLATION, "data ahead of <success/>") if self.has_more else None
        if self.inline is not None:  # XEP-0388 section 2.4
            return self._open(self.inline, data, renew) if ahead is None else self.fail(ahead)
        self.move(Input.LOGIN_ACCEPTED)
        self.localpart = self.login.localpart
        self._output.append(sasl.framed("success", data))
        self._header_sent = False
        self._restart()
        return self.fail(ahead) if ahead is not None else None

    def _open(self, inline: Authenticate, data: str | bytes, renew: TokenWanted | None) -> Event | None:
        self._data, token = data, inline.token or renew
        if token is None and inline.resume is None and inline.bind is None:
            self._succeed(Opened())
            return None
        resume = inline.resume if self.options.resumes else None
        return self.ask(SessionWanted(self.login.localpart, token, resume, inline.bind))

    def _succeed(self, opened: Opened) -> None:
        self.move(Input.LOGIN_ACCEPTED)
        self.localpart = self.login.localpart
        self._output.append(sasl2.success(Jid(self.localpart, self.options.domain), self._data, opened))
        self.inline, self._data, self._is_managed = None, "", opened.is_managed
        if opened.jid is not None:
            self.move(Input.RESOURCE_BOUND if opened.resumed is None else Input.STREAM_RESUMED)
            self._flow(opened.jid)
        if opened.resumed is None:
            self._offer()

    def refuse_login(self, error: sasl.SaslError) -> None:
        self.move(Input.LOGIN_REFUSED)
        self._output.append(self.login.refuse(error))
        self.inline = None

    def _is_offered(self, child: Slice) -> bool:
        return child.name.partition(" ")[0] in self.options.offered_after_login
