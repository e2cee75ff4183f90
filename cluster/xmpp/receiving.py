"""The receiving side of a client's stream (RFC 6120 sections 4 to 7): bytes in, events and bytes out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from xml.sax.saxutils import quoteattr

from cluster.xmpp import element as xml
from cluster.xmpp import sasl
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.events import (
    BindRequested,
    Closed,
    Event,
    KeysWanted,
    PasswordGiven,
    RequestBeforeLogin,
    TlsWanted,
)
from cluster.xmpp.features import StreamOptions, features, mechanisms
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import BIND, CLIENT, SASL, SESSION, STREAM_ERRORS, STREAMS, TLS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from cluster.xmpp.stamp import MalformedTo, Stamp
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.states import TRANSITIONS, Input, State

MAX_LOGIN_TRIES = 5
"""Refused logins before the stream is closed (RFC 6120 section 6.4.5 recommends 2 to 5)."""

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
        self._tries = 0
        self._login: sasl.ScramLogin | None = None
        self._login_name = ""
        self._bind_id: str | None = None
        self._stamp: Stamp | None = None
        self._failure: StreamError | None = None
        self._restart()

    def _restart(self) -> None:
        self._parser = StreamParser(self._options.max_stanza_bytes)
        self._inbox: deque[StreamHeader | Slice | StreamEnd] = deque()

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

    def events(self) -> Iterator[Event]:
        """What the input so far means, until it is used up or an event waits for its answer."""
        inbox = self._inbox
        while inbox and not self._waiting and self.state is not State.CLOSED:
            child = inbox.popleft()
            try:
                if self._stamp and type(child) is Slice:
                    yield self._stamp(child)
                else:
                    event = self._handle(child)
                    inbox = self._inbox  # a restart began a new one
                    if event is not None:
                        yield event
            except MalformedTo as malformed:
                self._refuse_address(malformed)
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
        """Queue a stanza for the peer."""
        self._output.append(stanza.raw)

    def fail(self, error: StreamError) -> Closed:
        """End the stream with an error (RFC 6120 section 4.9)."""
        self._open_if_needed()
        child = Element(f"{{{STREAMS}}}error")
        SubElement(child, f"{{{STREAM_ERRORS}}}{error.condition}")
        if error.text:
            SubElement(child, f"{{{STREAM_ERRORS}}}text").text = error.text
        self._send_element(child)
        return self.close(str(error))

    def close(self, reason: str = "") -> Closed:
        """End the stream (RFC 6120 section 4.4)."""
        self._open_if_needed()
        self._output.append(b"</stream:stream>")
        self.state = State.CLOSED
        return Closed(reason)

    # --- answers to events

    def tls_started(self, bindings: Mapping[str, bytes]) -> None:
        """TLS is up; `bindings` is its channel binding data by type. The stream restarts (RFC 6120 section 5.4.3.3)."""
        self._move(Input.TLS_STARTED)
        self.secure = True
        self._bindings = bindings
        self._waiting = False
        self._restart()

    def request_answered(self, reply: Stanza) -> None:
        """The reply to a request before the login."""
        self._waiting = False
        self.send(reply)

    def keys_found(self, keys: sasl.Keys) -> None:
        """The account's keys; for an unknown account, keys that no password fits."""
        self._waiting = False
        assert self._login is not None
        try:
            self._send_sasl("challenge", self._login.challenge(keys))
        except sasl.SaslError as error:
            self._refuse_login(error)

    def password_checked(self, accepted: bool) -> None:
        """Whether the password that PLAIN brought is the account's."""
        self._waiting = False
        if accepted:
            self._accept_login("")
        else:
            self._refuse_login(sasl.SaslError(sasl.SaslCondition.NOT_AUTHORIZED))

    def bound(self, jid: Jid) -> None:
        """The resource is the peer's (RFC 6120 section 7): stanzas flow from now on, stamped with `jid`."""
        self._waiting = False
        self._move(Input.RESOURCE_BOUND)
        self.jid = jid
        result = Element(f"{{{BIND}}}bind")
        SubElement(result, f"{{{BIND}}}jid").text = str(jid)
        self.send(make("iq", id=self._bind_id, type="result", payload=[result]))
        self._stamp = Stamp(jid, self._header.content_namespace, self._header.lang)

    def bind_refused(self, error: StanzaError) -> None:
        """The peer cannot have that resource; it may ask for another."""
        self._waiting = False
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
            self._move(Input.END)
            return self.close()
        what = _INPUTS.get(child.name)
        if what is None or (what is Input.IQ and not self._takes_iq(child)):
            # RFC 6120 section 4.9.3.12: no stanza before the login
            raise StreamError(
                StreamCondition.NOT_AUTHORIZED, f"{child.name.partition(' ')[2]} before the login is done"
            )
        if what is not Input.STARTTLS and self._options.tls == "required" and not self.secure:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "STARTTLS comes first here (RFC 6120 section 5.3.1)")
        try:
            return self._on_negotiation(what, child)
        except sasl.SaslError as error:
            self._refuse_login(error)
            return None

    def _takes_iq(self, child: Slice) -> bool:
        return self.state is State.BINDING or (
            self.state is State.NEGOTIATING and bool(self._options.features_before_login)
        )

    def _on_negotiation(self, what: Input, child: Slice) -> Event | None:
        text = xml.parse(child.raw).text if what in (Input.AUTH, Input.RESPONSE) else None
        if what is not Input.AUTH or self._tries < MAX_LOGIN_TRIES:
            self._move(what)
        match what:
            case Input.STARTTLS:
                return self._on_starttls()
            case Input.AUTH:
                return self._on_auth(child.attributes.get("mechanism", ""), text)
            case Input.RESPONSE:
                self._on_response(text)
                return None
            case Input.ABORT:
                self._login = None
                self._send_failure(sasl.SaslError(sasl.SaslCondition.ABORTED))
                return None
            case _:
                return self._on_iq(child)

    def _on_header(self, header: StreamHeader) -> None:
        self._header = header
        self._header_sent = False
        if header.content_namespace != CLIENT:
            raise StreamError(StreamCondition.INVALID_NAMESPACE, f"clients speak {CLIENT} here")
        self._move(Input.HEADER)
        try:
            domain = Jid.parse(header.to or "").domainpart
        except JidError:
            domain = ""
        if header.to is not None and domain != self._options.domain:
            raise StreamError(StreamCondition.HOST_UNKNOWN, f"{header.to} is not served here")
        if header.version is None or header.version.partition(".")[0] != "1":
            # RFC 6120 section 4.7.5: a peer of before XMPP 1.0 knows no stream features
            raise StreamError(StreamCondition.UNSUPPORTED_VERSION, "this server speaks XMPP 1.0")
        self._open_if_needed()
        self._send_element(features(self._options, self.secure, list(self._bindings), bool(self.localpart)))

    def _open_if_needed(self) -> None:
        """Our own stream header, once for each of the peer's; also before an error (RFC 6120 section 4.9.1.2)."""
        if self._header_sent:
            return
        self._header_sent = True
        self._output.append(
            f"<?xml version='1.0'?><stream:stream from='{self._options.domain}' id='{self._new_id()}' version='1.0' "
            f"xml:lang='en' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>".encode()
        )

    def _on_starttls(self) -> Event:
        if self._options.tls == "off" or self.secure:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "TLS is not on offer")
        if self._inbox or self._parser.pending_bytes:
            # what was sent in clear must not count as sent under TLS (RFC 6120 section 5.4.3.3)
            raise StreamError(StreamCondition.POLICY_VIOLATION, "data behind <starttls/>")
        self._output.append(f"<proceed xmlns='{TLS}'/>".encode())
        self._waiting = True
        self._header_sent = False
        return TlsWanted()

    def _on_auth(self, mechanism: str, text: str | None) -> Event:
        if self._tries >= MAX_LOGIN_TRIES:
            raise StreamError(StreamCondition.POLICY_VIOLATION, "too many refused logins")
        if mechanism not in mechanisms(self._options, self.secure, bool(self._bindings)):
            raise sasl.SaslError(sasl.SaslCondition.INVALID_MECHANISM, f"{mechanism!r} is not on offer")
        message = sasl.decode(text)
        if mechanism == "PLAIN":
            login = sasl.read_plain(message, self._options.domain)
            self._login_name, self._waiting = login.localpart, True
            return PasswordGiven(login.localpart, login.password)
        self._login = sasl.ScramLogin(mechanism, self._bindings, self._new_id())
        self._login_name = self._login.username(message)
        self._waiting = True
        return KeysWanted(self._login_name, self._login.hash_name)

    def _on_response(self, text: str | None) -> None:
        if self._login is None:
            raise sasl.SaslError(sasl.SaslCondition.MALFORMED_REQUEST, "no exchange is under way")
        self._accept_login(self._login.finish(sasl.decode(text)))

    def _accept_login(self, additional: str) -> None:
        self._move(Input.LOGIN_ACCEPTED)
        self.localpart, self._login = self._login_name, None
        self._send_sasl("success", additional)
        self._restart()
        self._header_sent = False

    def _refuse_login(self, error: sasl.SaslError) -> None:
        self._tries += 1
        self._login = None
        self._move(Input.LOGIN_REFUSED)
        self._send_failure(error)

    def _on_iq(self, child: Slice) -> Event | None:
        request = Stanza(
            "iq",
            None,
            None,
            child.attributes.get("id"),
            child.attributes.get("type"),
            child.payloads,
            child.raw,
        )
        if self.state is State.NEGOTIATING:
            self._waiting = True
            return RequestBeforeLogin(request)
        if request.payloads == (f"{SESSION} session",) and request.type == "set":
            self.send(request.reply())  # RFC 3921 section 3: no-op since RFC 6121
            return None
        if request.payloads != (f"{BIND} bind",) or request.type != "set":
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "bind a resource first (RFC 6120 section 7.1)")
        self._bind_id, self._waiting = request.id, True
        return BindRequested(xml.text_of(request.payload(), f"{{{BIND}}}resource") or None)

    # --- output

    def _send_element(self, element: Element) -> None:
        self._output.append(xml.serialize(element))

    def _send_sasl(self, name: str, text: str) -> None:
        content = sasl.encode(text) if text else ""
        self._output.append(f"<{name} xmlns={quoteattr(SASL)}>{content}</{name}>".encode())

    def _send_failure(self, error: sasl.SaslError) -> None:
        failure = Element(f"{{{SASL}}}failure")
        SubElement(failure, f"{{{SASL}}}{error.condition}")
        if error.text:
            SubElement(failure, f"{{{SASL}}}text").text = error.text
        self._send_element(failure)

    def _refuse_address(self, malformed: MalformedTo) -> None:
        if malformed.stanza.may_be_answered_with_error:
            error = StanzaError(Condition.JID_MALFORMED, malformed.text)
            self.send(malformed.stanza.error(error))
