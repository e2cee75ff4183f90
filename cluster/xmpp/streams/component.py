"""Both sides of a component's stream (XEP-0114, jabber:component:accept): bytes in, events and bytes out.

XEP-0114 has neither acknowledgements nor stream features. A component that writes version='1.0' into its stream header
says that it supports features (RFC 6120 section 4.7.5): the server then offers stream management (XEP-0198), without
resumption. All others get plain XEP-0114.
"""

from __future__ import annotations

import hashlib
import hmac
from abc import abstractmethod
from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.limits import FROM_COMPONENT, TO_COMPONENT, Limits
from cluster.xmpp.namespaces import COMPONENT, SM, STREAM_ERRORS, STREAMS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.content_namespace import into_stream, out_of_stream
from cluster.xmpp.streams.events import Closed, Misaddressed
from cluster.xmpp.streams.sm import REQUEST, StreamManagement, Unacknowledged, enabled, read_count
from cluster.xmpp.streams.stamp import MalformedTo
from cluster.xmpp.streams.stream import Stream


class ComponentState(StrEnum):
    """The state of a component's stream; it only proceeds to the next one, or to the end."""

    OPENING = "opening"
    """Waits for the peer's stream header."""
    HANDSHAKING = "handshaking"
    """Waits for the peer's `<handshake/>`."""
    OPEN = "open"
    """Stanzas flow."""
    CLOSED = "closed"


class Joined(msgspec.Struct, frozen=True):
    """The handshake is good. A component may send now; a server answers with `accept`, or `fail` on a conflict."""


class Acknowledged(msgspec.Struct, frozen=True):
    """`count` more of the sent stanzas are safe with the peer, the oldest first."""

    count: int


ComponentEvent = Stanza | Joined | Acknowledged | Misaddressed


def handshake(stream_id: str, secret: str) -> str:
    """The proof that the component knows the secret (section 3)."""
    return hashlib.sha1((stream_id + secret).encode()).hexdigest()


class ComponentStream(Stream[ComponentEvent]):
    """The part that both sides share."""

    CLOSED = ComponentState.CLOSED

    def __init__(self, domain: str, limits: Limits) -> None:
        super().__init__(limits)
        self.state: ComponentState = ComponentState.OPENING
        self.domain = domain
        """The component's domain; the server's side knows it from the stream header."""
        self.management: StreamManagement | None = None
        """Counts sent stanzas, once the peer acknowledges them."""
        self._counts_received = False

    def send(self, stanza: Stanza) -> None:
        """Queue a stanza for the peer; after the end of the stream it is dropped."""
        if self.state is not ComponentState.CLOSED:
            stanza = into_stream(stanza)
            self._output.append(stanza.raw + self.written([stanza]))

    def written(self, stanzas: list[Stanza]) -> bytes:
        """These stanzas, in the form of `into_stream`, are written now; returns the bytes to write after them."""
        return self.management.sent([Unacknowledged(each, 0.0) for each in stanzas]) if self.management else b""

    def received(self, settled: object | None) -> bool:
        """Count a stanza of the peer; it is handled when `until` has fired, or already (None). True if `settled` is to
        be called then."""
        return self.management is not None and self._counts_received and self.management.received(settled)

    def settled(self, waited_for: object) -> None:
        """This Deferred has fired; the peer may have waited for the acknowledgement."""
        assert self.management is not None
        if self.state is not ComponentState.CLOSED:
            self.management.settled(waited_for)
            self._output.append(self.management.tell(self.management.handled))

    def ask(self) -> bool:
        """Request an acknowledgement, which shows that the peer is there (XEP-0198 section 4); False if it sends
        none."""
        if self.management is None or self.state is ComponentState.CLOSED:
            return False
        self._output.append(REQUEST)
        return True

    def _handle(self, child: StreamHeader | Slice | StreamEnd) -> ComponentEvent | Closed | None:
        if isinstance(child, StreamHeader):
            self._on_header(child)
            return None
        if isinstance(child, StreamEnd):
            return self.close()
        if child.name == f"{STREAMS} error":
            return self.close(_told(child))
        if self.state is ComponentState.OPEN:
            return self._on_sm(child) if child.name.startswith(f"{SM} ") else self._on_stanza(child)
        if child.name != f"{COMPONENT} handshake":
            # RFC 6120 section 4.9.3.12
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "the handshake comes first")
        self._on_handshake(xml.parse(child.raw).text or "")
        return Joined()

    def _on_sm(self, child: Slice) -> Acknowledged | None:
        """XEP-0198 section 4, for both sides."""
        management = self.management
        if management is None or child.name not in (f"{SM} r", f"{SM} a"):
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"not expected here: {child.name}")
        if child.name == f"{SM} r":
            self._output.append(management.ack())
            return None
        try:
            h = read_count(child.attributes.get("h"))
        except ValueError as error:
            raise StreamError(StreamCondition.BAD_FORMAT, str(error)) from None
        before = management.unacknowledged
        self._output.append(management.acknowledged(h))
        count = before - management.unacknowledged
        return Acknowledged(count) if count else None

    @abstractmethod
    def _on_header(self, header: StreamHeader) -> None: ...

    @abstractmethod
    def _on_handshake(self, digest: str) -> None: ...

    @abstractmethod
    def _on_stanza(self, child: Slice) -> Stanza | Misaddressed: ...


class AcceptingStream(ComponentStream):
    """The server's side: the component has to know the secret, and may use addresses of its own domain only."""

    def __init__(self, server: str, secrets: Mapping[str, str], new_id: Callable[[], str]) -> None:
        """`server` is its domain; `secrets`: by the domain of each known component. `new_id` gives unpredictable ids
        (RFC 6120 section 4.7.3)."""
        super().__init__("", FROM_COMPONENT)
        self._server = Jid("", server)
        self._secrets = secrets
        self._stream_id = new_id()
        self._knows_features = False

    def accept(self) -> None:
        """Accept the component: the answer to Joined."""
        self.state = ComponentState.OPEN
        self._output.append(b"<handshake/>")

    def _on_header(self, header: StreamHeader) -> None:
        if header.content_namespace != COMPONENT:
            raise StreamError(StreamCondition.INVALID_NAMESPACE, f"components speak {COMPONENT} here")
        try:
            domain = Jid.parse(header.to or "").domainpart
        except JidError:
            domain = ""
        if domain not in self._secrets:
            raise StreamError(StreamCondition.HOST_UNKNOWN, f"no component {header.to or ''!r} is expected here")
        self.domain = domain
        self.state = ComponentState.HANDSHAKING
        self._knows_features = (header.version or "").partition(".")[0] == "1"
        self._open_if_needed()
        if self._knows_features:
            self._output.append(f"<stream:features><sm xmlns='{SM}'/></stream:features>".encode())

    def _on_handshake(self, digest: str) -> None:
        expected = handshake(self._stream_id, self._secrets[self.domain])
        if not hmac.compare_digest(digest.strip().encode(), expected.encode()):
            raise StreamError(StreamCondition.NOT_AUTHORIZED, f"that is not the secret of {self.domain}")

    def _on_sm(self, child: Slice) -> Acknowledged | None:
        if child.name != f"{SM} enable" or not self._knows_features or self.management is not None:
            return super()._on_sm(child)
        self.management, self._counts_received = StreamManagement(), True
        self._output.append(enabled(self.management))
        return None

    def _on_stanza(self, child: Slice) -> Stanza | Misaddressed:
        malformed: MalformedTo | None = None
        try:
            stanza = out_of_stream(child)
        except MalformedTo as error:
            stanza, malformed = error.stanza, error
        # XEP-0114 section 3: it may be any address of the component's own domain
        if stanza.from_ is None or stanza.from_.domainpart != self.domain:
            raise StreamError(StreamCondition.INVALID_FROM, f"this stream is {self.domain}, not {stanza.from_}")
        if malformed is None:
            return stanza
        stanza = msgspec.structs.replace(stanza, to=self._server)
        return Misaddressed(stanza, StanzaError(Condition.JID_MALFORMED, malformed.text))

    def _own_header(self) -> bytes:
        from_ = f" from={quoteattr(self.domain)}" if self.domain else ""
        version = " version='1.0'" if self._knows_features else ""
        return (
            f"<?xml version='1.0'?><stream:stream{from_} id={quoteattr(self._stream_id)}{version} "
            f"xmlns='{COMPONENT}' xmlns:stream='{STREAMS}'>"
        ).encode()


class ConnectingStream(ComponentStream):
    """The component's side. If the server refuses it, Closed has the condition."""

    def __init__(self, domain: str, secret: str) -> None:
        super().__init__(domain, TO_COMPONENT)
        self._secret = secret
        self._open_if_needed()

    def _handle(self, child: StreamHeader | Slice | StreamEnd) -> ComponentEvent | Closed | None:
        if not (isinstance(child, Slice) and child.name == f"{STREAMS} features"):
            return super()._handle(child)
        if f"{SM} sm" in child.payloads and self.management is None:
            # together with the handshake, so that the first stanza of the server is counted already
            self.management = StreamManagement()
            self._output.append(f"<enable xmlns='{SM}'/>".encode())
        return None

    def _on_header(self, header: StreamHeader) -> None:
        if header.content_namespace != COMPONENT:
            raise StreamError(StreamCondition.INVALID_NAMESPACE, f"components speak {COMPONENT}")
        self.state = ComponentState.HANDSHAKING
        if header.id is not None:  # an error follows if a server sends none
            self._output.append(f"<handshake>{handshake(header.id, self._secret)}</handshake>".encode())

    def _on_handshake(self, digest: str) -> None:
        self.state = ComponentState.OPEN

    def _on_sm(self, child: Slice) -> Acknowledged | None:
        if child.name == f"{SM} enabled":
            self._counts_received = True
            return None
        if child.name == f"{SM} failed":  # section 3: the stream continues without
            count = self.management.unacknowledged if self.management else 0
            self.management = None
            return Acknowledged(count)
        return super()._on_sm(child)

    def _on_stanza(self, child: Slice) -> Stanza:
        try:
            return out_of_stream(child)
        except MalformedTo as malformed:  # the server should have seen that
            raise StreamError(StreamCondition.IMPROPER_ADDRESSING, malformed.text) from None

    def _own_header(self) -> bytes:
        return (
            f"<?xml version='1.0'?><stream:stream to={quoteattr(self.domain)} version='1.0' "
            f"xmlns='{COMPONENT}' xmlns:stream='{STREAMS}'>"
        ).encode()


def _told(error: Slice) -> str:
    """A stream error in the form of `str(StreamError)`."""
    tree = xml.parse(error.raw)
    names = [xml.split(child.tag)[1] for child in tree if xml.split(child.tag)[0] == STREAM_ERRORS]
    condition = next((name for name in names if name != "text"), StreamCondition.UNDEFINED_CONDITION)
    text = xml.text_of(tree, f"{{{STREAM_ERRORS}}}text")
    return f"{condition}: {text}" if text else condition
