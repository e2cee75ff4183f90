"""The initiating side of a client's stream (RFC 6120 sections 4 to 7): what a client needs to log in and speak."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp import sasl, sm
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.events import TlsWanted
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.limits import FROM_SERVER
from cluster.xmpp.namespaces import BIND, CLIENT, REGISTER, SASL, SM, STREAMS, TLS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from cluster.xmpp.stanza import make


class StreamFailed(Exception):
    """The server refused: a login, a resource, or the whole stream; `condition` is its own word."""

    def __init__(self, step: str, condition: str, text: str = "") -> None:
        super().__init__(f"{step}: {condition}" + (f" ({text})" if text else ""))
        self.condition = condition


class Resumption(msgspec.Struct, frozen=True):
    """The managed stream that a client wants to go on with (XEP-0198 section 5)."""

    jid: Jid
    previd: str
    """The SM-ID that the server gave it."""
    h: int
    """How many of the server's stanzas the client has handled."""


class Bound(msgspec.Struct, frozen=True):
    """The login is done; stanzas flow."""

    jid: Jid
    is_resumed: bool = False
    """The earlier stream goes on; else a resource was bound."""
    h: int | None = None
    """How many stanzas of the client the server had handled on that stream; None where it does not say."""


@dataclass(frozen=True)
class Login:
    """Who logs in, and how."""

    jid: Jid
    """Its resourcepart is asked for; without one the server chooses."""
    password: str
    register: bool = False
    """Make the account first (XEP-0077); one that exists already is fine."""
    in_clear: bool = False
    """Do without TLS where the server lets one: for measuring what TLS costs."""


_Negotiation = Generator[TlsWanted | None, StreamHeader | Slice | StreamEnd, None]


class InitiatingStream:
    """A client's stream. Feed it with `receive_data`, drain `events`, write `data_to_send`; then again."""

    def __init__(self, login: Login, new_id: Callable[[], str], resumption: Resumption | None = None) -> None:
        """`new_id` gives unpredictable ids for SCRAM nonces. A `resumption` that is refused ends in a new resource."""
        self.bound: Bound | None = None
        """How the login ended; None before."""
        self.domain = login.jid.domainpart
        self._login = login
        self._resumption = resumption
        self._new_id = new_id
        self._output: list[bytes] = []
        self._bindings: Mapping[str, bytes] = {}
        self._inbox: deque[StreamHeader | Slice | StreamEnd] = deque()
        self._parser = StreamParser(FROM_SERVER)
        self._negotiation = self._negotiate()
        next(self._negotiation)

    @property
    def jid(self) -> Jid | None:
        """Who it is; None before the login is done."""
        return self.bound.jid if self.bound is not None else None

    def receive_data(self, data: bytes) -> None:
        """Take what came in. Raises StreamError for what no server may send."""
        found: list[StreamHeader | Slice | StreamEnd] = []
        self._parser.feed(data, found)
        self._inbox.extend(found)

    def events(self) -> Iterator[TlsWanted | Bound | Slice | StreamEnd]:
        """What the input means; once bound, every child of the stream as it is. Raises StreamFailed."""
        while self._inbox:
            child = self._inbox.popleft()
            if isinstance(child, Slice) and child.name == f"{STREAMS} error":
                raise StreamFailed("stream", *_condition(xml.parse(child.raw)))
            if self.bound is not None:
                if not isinstance(child, StreamHeader):
                    yield child
                continue
            if isinstance(child, StreamEnd):
                raise StreamFailed("stream", "closed", "the server ended the stream before the login was done")
            try:
                event = self._negotiation.send(child)
            except StopIteration:
                assert self.bound is not None
                yield self.bound
            else:
                if event is not None:
                    yield event

    def data_to_send(self) -> bytes:
        """What has to be written to the server now."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def tls_started(self, bindings: Mapping[str, bytes]) -> None:
        """TLS is up; `bindings` is its channel binding data by type."""
        self._bindings = bindings
        self._open()

    def close(self) -> None:
        """End our side of the stream."""
        self._output.append(b"</stream:stream>")

    # --- the negotiation, step by step

    def _negotiate(self) -> _Negotiation:
        self._open()
        features = yield from self._features()
        if features.find(f"{{{TLS}}}starttls") is not None and not self._login.in_clear:
            self._output.append(f"<starttls xmlns='{TLS}'/>".encode())
            yield from self._expect("STARTTLS", f"{TLS} proceed")
            features = yield from self._features(TlsWanted())
        if self._login.register:
            yield from self._register()
        yield from self._authenticate([m.text or "" for m in features.iter(f"{{{SASL}}}mechanism")])
        self._open()
        yield from self._features()
        h = None
        if self._resumption is not None:
            is_resumed, h = yield from self._resume(self._resumption)
            if is_resumed:
                self.bound = Bound(self._resumption.jid, True, h)
                return
        self.bound = Bound((yield from self._bind()), h=h)

    def _open(self) -> None:
        self._parser = StreamParser(FROM_SERVER)
        self._inbox.clear()  # what came before TLS must not count as said under TLS (RFC 6120 section 5.4.3.3)
        self._output.append(
            f"<?xml version='1.0'?><stream:stream to={quoteattr(self.domain)} version='1.0' "
            f"xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>".encode()
        )

    def _features(self, event: TlsWanted | None = None) -> Generator[TlsWanted | None, object, Element]:
        child = yield event
        if isinstance(child, StreamHeader):
            child = yield None
        if not isinstance(child, Slice) or child.name != f"{STREAMS} features":
            raise StreamFailed("stream", "no features")
        return xml.parse(child.raw)

    def _expect(self, step: str, *names: str) -> Generator[None, object, Element]:
        child = yield None
        if not isinstance(child, Slice):
            raise StreamFailed(step, "no answer")
        tree = xml.parse(child.raw)
        if child.name not in names:
            raise StreamFailed(step, *_condition(tree))
        return tree

    def _register(self) -> Generator[None, object, None]:
        query = Element(f"{{{REGISTER}}}query")
        SubElement(query, f"{{{REGISTER}}}username").text = self._login.jid.localpart
        SubElement(query, f"{{{REGISTER}}}password").text = self._login.password
        self._output.append(make("iq", id="register", type="set", payload=[query]).raw)
        reply = yield from self._expect("registration", f"{CLIENT} iq")
        error = reply.find(f"{{{CLIENT}}}error")
        if error is not None and _condition(error)[0] != "conflict":
            raise StreamFailed("registration", *_condition(error))

    def _authenticate(self, offered: list[str]) -> Generator[None, object, None]:
        try:
            client = sasl.ScramClient(
                offered, self._login.jid.localpart, self._login.password, self._bindings, self._new_id()
            )
            self._send_sasl(f"auth mechanism='{client.mechanism}'", client.first())
            challenge = yield from self._expect("login", f"{SASL} challenge")
            self._send_sasl("response", client.answer(sasl.decode(challenge.text)))
            success = yield from self._expect("login", f"{SASL} success")
            client.verify(sasl.decode(success.text))
        except sasl.SaslError as error:
            raise StreamFailed("login", error.condition, error.text) from None

    def _resume(self, resumption: Resumption) -> Generator[None, object, tuple[bool, int | None]]:
        """True where the stream goes on. Also one who refuses may say how many it had handled (XEP-0198 section 5)."""
        self._output.append(f"<resume xmlns='{SM}' previd={quoteattr(resumption.previd)} h='{resumption.h}'/>".encode())
        answer = yield from self._expect("resumption", f"{SM} resumed", f"{SM} failed")
        is_resumed, h = answer.tag == f"{{{SM}}}resumed", answer.get("h")
        try:
            return is_resumed, sm.read_count(h) if is_resumed or h is not None else None
        except ValueError as error:
            raise StreamFailed("resumption", "bad-format", str(error)) from None

    def _bind(self) -> Generator[None, object, Jid]:
        bind = Element(f"{{{BIND}}}bind")
        if self._login.jid.resourcepart:
            SubElement(bind, f"{{{BIND}}}resource").text = self._login.jid.resourcepart
        self._output.append(make("iq", id="bind", type="set", payload=[bind]).raw)
        reply = yield from self._expect("resource binding", f"{CLIENT} iq")
        jid = reply.find(f"{{{BIND}}}bind/{{{BIND}}}jid")
        if jid is None or not jid.text:
            error = reply.find(f"{{{CLIENT}}}error")
            raise StreamFailed("resource binding", *_condition(reply if error is None else error))
        try:
            return Jid.parse(jid.text)
        except JidError as error:
            raise StreamFailed("resource binding", "jid-malformed", str(error)) from None

    def _send_sasl(self, tag: str, text: str) -> None:
        self._output.append(f"<{tag} xmlns='{SASL}'>{sasl.encode(text)}</{tag.partition(' ')[0]}>".encode())


def _condition(failure: Element) -> tuple[str, str]:
    """The condition and the text of an error or failure element."""
    names = [xml.split(child.tag)[1] for child in failure]
    text = next((child.text or "" for child in failure if child.tag.endswith("}text")), "")
    return next((name for name in names if name != "text"), "unknown"), text
