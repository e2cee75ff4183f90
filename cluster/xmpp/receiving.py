"""The receiving side of a client's stream (RFC 6120 sections 4 to 7): bytes in, events and bytes out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from xml.sax.saxutils import quoteattr

from cluster.xmpp import element as xml
from cluster.xmpp import sasl, sm
from cluster.xmpp.element import Element, SubElement
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
)  # fmt: skip
from cluster.xmpp.features import StreamOptions, features, mechanisms
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.login import MAX_LOGIN_TRIES, LoginExchange, Told
from cluster.xmpp.namespaces import BIND, CLIENT, LEGACY_AUTH, SASL, SM, STREAMS, TLS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from cluster.xmpp.stamp import MalformedTo, NotAStanza, Stamp
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.states import TRANSITIONS, Input, State
from cluster.xmpp.stream_error import written

MAX_BIND_TRIES = 6
"""Refused resources before the stream is closed: 5 retries (RFC 6120 section 7.7.3 wants 5 to 10)."""
_INPUTS = {
    f"{TLS} starttls": Input.STARTTLS,
    f"{SASL} auth": Input.AUTH,
    f"{SASL} response": Input.RESPONSE,
    f"{SASL} abort": Input.ABORT,
    f"{CLIENT} iq": Input.IQ,
}


class ReceivingStream:
    """One client's stream. Feed it with `receive_data`, drain `events`, write `data_to_send`; then again.

    While an event waits for its answer, later input is kept and `events` is empty.
    """

    def __init__(self, options: StreamOptions, new_id: Callable[[], str]) -> None:
        """`new_id` gives unpredictable ids: stream ids and SCRAM nonces (RFC 6120 section 4.7.3)."""
        self.state = State.OPENING
        self.secure = False
        self.localpart = ""
        self.jid: Jid | None = None
        self._options = options
        self._new_id = new_id
        self._output: list[bytes] = []
        self._bindings: Mapping[str, bytes] = {}
        self._waiting = False
        self._header_sent = False
        self._login = LoginExchange(options.domain, new_id)
        self._refused_requests = 0
        self._header: StreamHeader | None = None
        self._bind_id: str | None = None
        self._refused_resources = 0
        self._stamp: Stamp | None = None
        self._failure: StreamError | None = None
        self._restart()

    def _restart(self) -> None:
        self._parser = StreamParser(self._options.max_stanza_bytes)
        self._inbox: deque[StreamHeader | Slice | StreamEnd] = deque()

    @property
    def is_anonymous(self) -> bool:
        """Its login was SASL ANONYMOUS: there is no account of that name."""
        return self._login.is_anonymous

    # --- bytes and events

    def receive_data(self, data: bytes) -> None:
        """Take what came in. Faults of the peer show as events, behind what it sent before them."""
        if self.state is State.CLOSED or self._failure:
            return
        found: list[StreamHeader | Slice | StreamEnd] = []
        try:
            self._parser.feed(data, found)
        except StreamError as error:
            self._failure = error
        self._inbox.extend(found)

    def rest(self) -> None:
        """Nothing came for a while: keep as little memory as possible until something does."""
        self._parser.rest()

    def events(self) -> Iterator[Event]:
        """What the input so far means, until it is used up or an event waits for its answer."""
        while self._inbox and not self._waiting and self.state is not State.CLOSED:
            child = self._inbox.popleft()
            try:
                if self._stamp and type(child) is Slice:
                    yield self._stamp(child)
                elif (event := self._handle(child)) is not None:
                    yield event
            except MalformedTo as malformed:
                yield Misaddressed(malformed.stanza, StanzaError(Condition.JID_MALFORMED, malformed.text))
            except NotAStanza as error:
                yield self._on_nonza(child, error)
            except StreamError as error:
                yield self.fail(error)
        if self._failure and not self._waiting and self.state is not State.CLOSED:
            yield self.fail(self._failure)

    def data_to_send(self) -> bytes:
        """What has to be written to the peer now."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def send(self, stanza: Stanza) -> None:
        """Queue a stanza for the peer; behind the end of the stream it is dropped."""
        if self.state is not State.CLOSED:
            self._output.append(stanza.raw)

    def fail(self, error: StreamError) -> Closed:
        """End the stream with an error (RFC 6120 section 4.9)."""
        if self.state is not State.CLOSED:
            self._open_if_needed()
            self._output.append(written(error))
        return self.close(str(error))

    def close(self, reason: str = "") -> Closed:
        """End the stream (RFC 6120 section 4.4), once."""
        if self.state is not State.CLOSED:
            self._open_if_needed()
            self._output.append(b"</stream:stream>")
            self.state = State.CLOSED
        return Closed(reason)

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
            result = Element(f"{{{BIND}}}bind")
            SubElement(result, f"{{{BIND}}}jid").text = str(jid)
            self.send(make("iq", id=self._bind_id, type="result", payload=[result]))
            self._flow(jid)

    def resumed(self, jid: Jid, management: sm.StreamManagement) -> None:
        """The peer has its former stream back (XEP-0198 section 5); what it missed comes behind that."""
        if self._resume():
            self._move(Input.STREAM_RESUMED)
            self._output.append(sm.resumed(management))
            self._flow(jid)

    def resume_refused(self, condition: Condition) -> None:
        """There is no such stream; the peer may bind a resource instead (XEP-0198 section 5)."""
        if self._resume():
            self._output.append(sm.failed(condition))

    def _flow(self, jid: Jid) -> None:
        self.jid = jid
        assert self._header is not None
        self._stamp = Stamp(jid, self._header.content_namespace, self._header.lang)

    def bind_refused(self, error: StanzaError) -> None:
        """The peer cannot have that resource; it may ask for another."""
        if self._resume():
            self._refused_resources += 1
            self.send(make("iq", id=self._bind_id, type="set").error(error))

    # --- the negotiation

    def _move(self, what: Input) -> None:
        try:
            self.state = TRANSITIONS[self.state][what]
        except KeyError:
            raise StreamError(
                StreamCondition.POLICY_VIOLATION, f"no {what} is expected while the stream is {self.state}"
            ) from None

    def _handle(self, child: StreamHeader | Slice | StreamEnd) -> Event | None:
        if isinstance(child, StreamHeader):
            self._on_header(child)
            return None
        if isinstance(child, StreamEnd):
            return self.close()  # in every state that reads (Input.END)
        if child.name.startswith(f"{SM} ") and self._is_offered(child):
            return self._on_early_sm(child)
        what = _INPUTS.get(child.name)
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
        text = tree.text
        self._move(what)
        if len(tree):
            raise sasl.SaslError(sasl.SaslCondition.MALFORMED_REQUEST, "a login is text")
        match what:
            case Input.STARTTLS:
                return self._on_starttls()
            case Input.AUTH:
                return self._on_auth(child.attributes.get("mechanism", ""), text)
            case Input.RESPONSE:
                return self._proceed(self._login.respond(text))
            case Input.ABORT:
                self._output.append(self._login.refuse(sasl.SaslError(sasl.SaslCondition.ABORTED)))
                return None
            case _:
                return self._on_iq(child)

    def _on_header(self, header: StreamHeader) -> None:
        self._header = header
        if header.content_namespace != CLIENT:
            raise StreamError(StreamCondition.INVALID_NAMESPACE, f"clients speak {CLIENT} here")
        self._move(Input.HEADER)
        try:
            domain = Jid.parse(header.to or "").domainpart
        except JidError:
            domain = ""
        if domain != self._options.domain:  # RFC 6120 section 4.7.2: a client must say `to`
            raise StreamError(StreamCondition.HOST_UNKNOWN, f"to={header.to or ''!r} is not {self._options.domain}")
        if header.version is None or header.version.partition(".")[0].lstrip("0") != "1":
            # RFC 6120 section 4.7.5: a peer of before XMPP 1.0 knows no stream features
            raise StreamError(StreamCondition.UNSUPPORTED_VERSION, "this server speaks XMPP 1.0")
        self._open_if_needed()
        offer = features(self._options, self.secure, list(self._bindings), bool(self.localpart))
        self._output.append(xml.serialize(offer))

    def _open_if_needed(self) -> None:
        """Our own stream header, once for each of the peer's; also before an error (RFC 6120 section 4.9.1.2)."""
        if self._header_sent:
            return
        self._header_sent = True
        # sections 4.7.2 and 4.7.5: no `to` and no version for a peer that told us none
        version = "" if self._header is not None and self._header.version is None else " version='1.0'"
        self._output.append(
            f"<?xml version='1.0'?><stream:stream from='{self._options.domain}'{self._to_attribute()} "
            f"id='{self._new_id()}'{version} xml:lang='en' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>".encode()
        )

    def _to_attribute(self) -> str:
        if self._header is None or self._header.from_ is None:
            return ""
        try:
            return f" to={quoteattr(str(Jid.parse(self._header.from_).bare))}"
        except JidError:
            return ""

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

    def _on_auth(self, mechanism: str, text: str | None) -> Event | None:
        offered = mechanisms(self._options, self.secure, bool(self._bindings))
        return self._proceed(self._login.begin(mechanism, offered, text, self._bindings))

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
        request = Stanza("iq", None, None, get("id"), get("type"), child.payloads, child.raw)
        if self.state is State.NEGOTIATING:
            if not request.may_be_answered_with_error:
                return None  # a reply, to nothing that was asked: nobody answers it, so nobody may wait for that
            return self._on_request_before_login(request)
        if request.payloads != (f"{BIND} bind",) or request.type != "set":
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "bind a resource first (RFC 6120 section 7.1)")
        if self._refused_resources >= MAX_BIND_TRIES:
            raise StreamError(StreamCondition.POLICY_VIOLATION, f"{MAX_BIND_TRIES} resources were refused")
        self._bind_id, self._waiting = request.id, True
        return BindRequested(xml.text_of(request.payload(), f"{{{BIND}}}resource") or None)

    def _on_request_before_login(self, request: Stanza) -> Event:
        if self._refused_requests >= MAX_LOGIN_TRIES:
            raise StreamError(StreamCondition.POLICY_VIOLATION, f"{MAX_LOGIN_TRIES} requests were refused")
        if self._login.refused and f"{LEGACY_AUTH} query" in request.payloads:  # XEP-0078 section 7
            raise StreamError(StreamCondition.POLICY_VIOLATION, "a SASL login failed before")
        self._waiting = True
        return RequestBeforeLogin(request)

    def _is_offered(self, child: Slice) -> bool:
        return child.name.partition(" ")[0] in self._options.offered_after_login

    def _on_nonza(self, child: StreamHeader | Slice | StreamEnd, error: StreamError) -> Event:
        """Amid the stanzas: an element of a feature that was offered, or an error."""
        assert isinstance(child, Slice)
        return Nonza(child.name, child.attributes) if self._is_offered(child) else self.fail(error)

    def _on_early_sm(self, child: Slice) -> Event | None:
        """Stream management before the resource binding: nothing but the wish to resume, once it is known who it is."""
        condition = Condition.UNEXPECTED_REQUEST  # XEP-0198 section 3
        if child.name == f"{SM} resume" and self.state is State.BINDING:
            try:
                request = ResumeRequested(child.attributes.get("previd", ""), sm.read_count(child.attributes.get("h")))
            except ValueError:
                condition = Condition.BAD_REQUEST
            else:
                self._waiting = True
                return request
        self._output.append(sm.failed(condition))
        return None
