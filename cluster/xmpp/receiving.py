"""The receiving side of a client's stream (RFC 6120 sections 4 to 7): bytes in, events and bytes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cluster.xmpp import element as xml
from cluster.xmpp import header as headers
from cluster.xmpp import sasl, sm
from cluster.xmpp.binding import ResourceBinding
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.events import (
    Event,
    KeysWanted,
    Misaddressed,
    Nonza,
    PasswordGiven,
    RequestBeforeLogin,
    ResumeRequested,
    TlsWanted,
)  # fmt: skip
from cluster.xmpp.features import StreamOptions, features, mechanisms
from cluster.xmpp.jid import Jid
from cluster.xmpp.login import MAX_LOGIN_TRIES, LoginExchange, Told
from cluster.xmpp.namespaces import LEGACY_AUTH, SM, TLS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader
from cluster.xmpp.stamp import MalformedTo, NotAStanza, Stamp
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.states import INPUTS, TRANSITIONS, Input, State
from cluster.xmpp.stream import Stream


class ReceivingStream(Stream[Event]):
    """One client's stream."""

    CLOSED = State.CLOSED

    def __init__(self, options: StreamOptions, new_id: Callable[[], str]) -> None:
        """`new_id` gives unpredictable ids: stream ids and SCRAM nonces (RFC 6120 section 4.7.3)."""
        super().__init__(options.limits)
        self.state: State = State.OPENING
        self.secure = False
        self.localpart = ""
        self.jid: Jid | None = None
        self.claimed: Jid | None = None
        """Who the stream header said it is, where the login was another's."""
        self._options = options
        self._new_id = new_id
        self._bindings: Mapping[str, bytes] = {}
        self._login = LoginExchange(options.domain, new_id)
        self._binding = ResourceBinding()
        self._refused_requests = 0
        self._header: StreamHeader | None = None
        self._stamp: Stamp | None = None

    @property
    def is_anonymous(self) -> bool:
        """Its login was SASL ANONYMOUS: there is no account of that name."""
        return self._login.is_anonymous

    def send(self, stanza: Stanza) -> None:
        """Queue a stanza for the peer; behind the end of the stream it is dropped."""
        if self.state is not State.CLOSED:
            self._output.append(stanza.raw)

    # --- answers to events; when the stream ended in the meantime they mean nothing

    def _resume(self) -> bool:
        self._waiting = False
        return self.state is not State.CLOSED

    def tls_started(self, bindings: Mapping[str, bytes]) -> None:
        """TLS is up; `bindings` is its channel binding data by type. The stream restarts (RFC 6120 section 5.4.3.3)."""
        if self._resume():
            self._move(Input.TLS_STARTED)
            self.secure = True
            self._bindings = bindings
            self._restart()

    def request_answered(self, reply: Stanza) -> None:
        """The reply to a request before the login."""
        if self._resume():
            self._refused_requests += reply.type == "error"
            self.send(reply)

    def logged_in(self, jid: Jid, reply: Stanza) -> None:
        """The request before the login was one itself (XEP-0078): stanzas flow from now on, stamped with `jid`."""
        if self._resume():
            self._move(Input.LOGIN_BY_IQ)
            self.send(reply)
            self._flow(jid)

    def login_unavailable(self) -> None:
        """Whether the login is good cannot be known now (RFC 6120 section 6.5.11)."""
        if self._resume():
            self._refuse_login(sasl.SaslError(sasl.SaslCondition.TEMPORARY_AUTH_FAILURE))

    def keys_found(self, keys: sasl.Keys) -> None:
        """The account's keys; for an unknown account, keys that no password fits."""
        if self._resume():
            try:
                self._output.append(self._login.challenge(keys))
            except sasl.SaslError as error:
                self._refuse_login(error)

    def password_checked(self, accepted: bool) -> None:
        """Whether the password that PLAIN brought is the account's."""
        if not self._resume():
            return
        if accepted:
            self._accept_login(self._login.accept_password())
        else:
            self._refuse_login(sasl.SaslError(sasl.SaslCondition.NOT_AUTHORIZED))

    def bound(self, jid: Jid) -> None:
        """The resource is the peer's (RFC 6120 section 7): stanzas flow from now on, stamped with `jid`."""
        if self._resume():
            self._move(Input.RESOURCE_BOUND)
            self.send(self._binding.accept(jid))
            self._flow(jid)

    def resumed(self, jid: Jid, management: sm.StreamManagement) -> None:
        """The peer has its former stream back (XEP-0198 section 5); what it missed comes behind that."""
        if self._resume():
            self._move(Input.STREAM_RESUMED)
            self._output.append(sm.resumed(management))
            self._flow(jid)

    def resume_refused(self, condition: Condition, h: int | None = None) -> None:
        """There is no such stream; the peer may bind a resource instead (XEP-0198 section 5).

        `h`: what was handled on the stream that is over, where that is known.
        """
        if self._resume():
            self._output.append(sm.failed(condition, h))

    def _flow(self, jid: Jid) -> None:
        self.jid = jid
        assert self._header is not None
        self._stamp = Stamp(jid, self._header.content_namespace, self._header.lang)

    def bind_refused(self, error: StanzaError) -> None:
        """The peer cannot have that resource; it may ask for another."""
        if self._resume():
            self.send(self._binding.refuse(error))

    # --- the negotiation

    def _move(self, what: Input) -> None:
        try:
            self.state = TRANSITIONS[self.state][what]
        except KeyError:
            raise StreamError(
                StreamCondition.POLICY_VIOLATION, f"no {what} is expected while the stream is {self.state}"
            ) from None

    def _handle(self, child: StreamHeader | Slice | StreamEnd) -> Event | None:
        if (stamp := self._stamp) is not None and type(child) is Slice:
            try:
                return stamp(child)
            except (MalformedTo, NotAStanza) as odd:
                return self._on_odd(odd, child)
        if isinstance(child, StreamHeader):
            self._on_header(child)
            return None
        if isinstance(child, StreamEnd):
            return self.close()  # in every state that reads (Input.END)
        if child.name.startswith(f"{SM} ") and self._is_offered(child):
            return self._on_early_sm(child)
        what = INPUTS.get(child.name)
        if what is None or (what is Input.IQ and not self._takes_iq()):
            # RFC 6120 section 4.9.3.12: no stanza before the login
            raise StreamError(StreamCondition.NOT_AUTHORIZED, f"{child.name.rpartition(' ')[2]} before the login")
        if what is not Input.STARTTLS and self._options.tls == "required" and not self.secure:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "STARTTLS comes first here (RFC 6120 section 5.3.1)")
        try:
            return self._on_negotiation(what, child)
        except sasl.SaslError as error:
            self._refuse_login(error)
            return None

    def _takes_iq(self) -> bool:
        return self.state is State.BINDING or (self.state is State.NEGOTIATING and self._options.takes_iq_before_login)

    def _on_negotiation(self, what: Input, child: Slice) -> Event | None:
        tree = xml.parse(child.raw) if what in (Input.AUTH, Input.RESPONSE) else Element(child.name)
        self._move(what)
        if len(tree):
            raise sasl.SaslError(sasl.SaslCondition.MALFORMED_REQUEST, "a login is text")
        match what:
            case Input.STARTTLS:
                return self._on_starttls()
            case Input.AUTH:
                offered = mechanisms(self._options, self.secure, bool(self._bindings))
                mechanism = child.attributes.get("mechanism", "")
                return self._proceed(self._login.begin(mechanism, offered, tree.text, self._bindings))
            case Input.RESPONSE:
                return self._proceed(self._login.respond(tree.text))
            case Input.ABORT:
                self._output.append(self._login.refuse(sasl.SaslError(sasl.SaslCondition.ABORTED)))
                return None
            case _:
                return self._on_iq(child)

    def _on_header(self, header: StreamHeader) -> None:
        self._header = header
        self._move(Input.HEADER)
        headers.check(header, self._options.domain)
        self._open_if_needed()
        offer = features(self._options, self.secure, list(self._bindings), bool(self.localpart))
        self._output.append(xml.serialize(offer))

    def _own_header(self) -> bytes:
        return headers.answer(self._header, self._options.domain, self._new_id())

    def _on_starttls(self) -> Event:
        if self._options.tls == "off" or self.secure:
            self._output.append(f"<failure xmlns='{TLS}'/>".encode())  # RFC 6120 section 5.4.2.2
            return self.close("TLS is not on offer")
        if self._inbox or self._parser.pending_bytes:
            # what was sent in clear must not count as sent under TLS (RFC 6120 section 5.4.3.3)
            raise StreamError(StreamCondition.POLICY_VIOLATION, "data behind <starttls/>")
        self._output.append(f"<proceed xmlns='{TLS}'/>".encode())
        self._waiting = True
        self._header_sent = False
        return TlsWanted()

    def _proceed(self, step: KeysWanted | PasswordGiven | Told) -> Event | None:
        if not isinstance(step, Told):
            self._waiting = True
            return step
        if step.accepted:
            self._accept_login(step.xml)
        else:
            self._output.append(step.xml)
        return None

    def _accept_login(self, success: bytes) -> None:
        claimed = headers.sender(self._header) if self.secure else None
        if claimed not in (None, Jid(self._login.localpart, self._options.domain)) and not self.is_anonymous:
            self.claimed = claimed  # RFC 6120 section 6.4.6: what TLS protects is the client's own word
            if self._options.strict:
                self._failure = StreamError(StreamCondition.INVALID_FROM, f"the login is not that of {claimed}")
                return self._restart()
        self._move(Input.LOGIN_ACCEPTED)
        self.localpart = self._login.localpart
        self._output.append(success)
        self._header_sent = False
        if self._inbox or self._parser.pending_bytes:
            self._failure = StreamError(StreamCondition.POLICY_VIOLATION, "data ahead of <success/> and the restart")
        self._restart()

    def _refuse_login(self, error: sasl.SaslError) -> None:
        self._move(Input.LOGIN_REFUSED)
        self._output.append(self._login.refuse(error))

    def _on_iq(self, child: Slice) -> Event | None:
        get = child.attributes.get
        no_id = None if self._options.strict else ""
        request = Stanza("iq", None, None, get("id", no_id), get("type"), child.payloads, child.raw)
        if self.state is State.NEGOTIATING:
            if not request.may_be_answered_with_error:
                return None  # a reply, to nothing that was asked: nobody answers it, so nobody may wait for that
            return self._on_request_before_login(request)
        wanted = self._binding.request(request)
        self._waiting = True
        return wanted

    def _on_request_before_login(self, request: Stanza) -> Event:
        if self._refused_requests >= MAX_LOGIN_TRIES:
            raise StreamError(StreamCondition.POLICY_VIOLATION, f"{MAX_LOGIN_TRIES} requests were refused")
        if self._login.refused and f"{LEGACY_AUTH} query" in request.payloads:  # XEP-0078 section 7
            raise StreamError(StreamCondition.POLICY_VIOLATION, "a SASL login failed before")
        self._waiting = True
        return RequestBeforeLogin(request)

    def _is_offered(self, child: Slice) -> bool:
        return child.name.partition(" ")[0] in self._options.offered_after_login

    def _on_odd(self, odd: MalformedTo | NotAStanza, child: Slice) -> Event:
        """Amid the stanzas: one that cannot be routed, or an element of a feature that was offered."""
        if isinstance(odd, MalformedTo):
            return Misaddressed(odd.stanza, StanzaError(Condition.JID_MALFORMED, odd.text))
        if self._is_offered(child):
            return Nonza(child.name, child.attributes)
        raise odd

    def _on_early_sm(self, child: Slice) -> Event | None:
        """Stream management before the resource binding: nothing but the wish to resume, once it is known who it is."""
        condition = Condition.UNEXPECTED_REQUEST  # XEP-0198 section 3
        if child.name == f"{SM} resume" and self.state is State.BINDING:
            try:
                request = ResumeRequested(child.attributes.get("previd", ""), sm.read_count(child.attributes.get("h")))
                self._waiting = True
                return request
            except ValueError:
                condition = Condition.BAD_REQUEST
        self._output.append(sm.failed(condition))
        return None
