"""Both sides of a component's stream (XEP-0114, jabber:component:accept): bytes in, events and bytes out."""

from __future__ import annotations

import hashlib
import hmac
from abc import abstractmethod
from collections.abc import Callable, Mapping
from enum import StrEnum
from xml.sax.saxutils import quoteattr

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.component_stanza import into_stream, out_of_stream
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.events import Closed
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import COMPONENT, STREAM_ERRORS, STREAMS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader
from cluster.xmpp.stamp import MalformedTo
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.stream import Stream


class ComponentState(StrEnum):
    """How far a component's stream has come; it only ever goes on to the next, or to the end."""

    OPENING = "opening"
    """Waits for the peer's stream header."""
    HANDSHAKING = "handshaking"
    """Waits for the peer's `<handshake/>`."""
    OPEN = "open"
    """Stanzas flow."""
    CLOSED = "closed"


class Joined(msgspec.Struct, frozen=True):
    """The handshake is good. A component may send now; a server answers with `accept`, or `fail` on a conflict."""


def handshake(stream_id: str, secret: str) -> str:
    """What proves to the server that the component knows the secret (section 3)."""
    return hashlib.sha1((stream_id + secret).encode()).hexdigest()


class ComponentStream(Stream["Stanza | Joined"]):
    """What both sides share."""

    CLOSED = ComponentState.CLOSED

    def __init__(self, domain: str) -> None:
        super().__init__()
        self.state: ComponentState = ComponentState.OPENING
        self.domain = domain
        """The component's; a server's side knows it from the stream header on."""

    def send(self, stanza: Stanza) -> None:
        """Queue a stanza for the peer; behind the end of the stream it is dropped."""
        if self.state is not ComponentState.CLOSED:
            self._output.append(into_stream(stanza).raw)

    def _handle(self, child: StreamHeader | Slice | StreamEnd) -> Stanza | Joined | Closed | None:
        if isinstance(child, StreamHeader):
            self._on_header(child)
            return None
        if isinstance(child, StreamEnd):
            return self.close()
        if child.name == f"{STREAMS} error":
            return self.close(_told(child))
        if self.state is ComponentState.OPEN:
            return self._on_stanza(child)
        if child.name != f"{COMPONENT} handshake":
            # RFC 6120 section 4.9.3.12
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "the handshake comes first")
        self._on_handshake(xml.parse(child.raw).text or "")
        return Joined()

    @abstractmethod
    def _on_header(self, header: StreamHeader) -> None: ...

    @abstractmethod
    def _on_handshake(self, digest: str) -> None: ...

    @abstractmethod
    def _on_stanza(self, child: Slice) -> Stanza | None: ...


class AcceptingStream(ComponentStream):
    """The server's side: the component has to know the secret, and speaks for its own domain only."""

    def __init__(self, server: str, secrets: Mapping[str, str], new_id: Callable[[], str]) -> None:
        """`server` is its domain; `secrets`: by the domain of each component that there may be.

        `new_id` gives unpredictable ids (RFC 6120 section 4.7.3).
        """
        super().__init__("")
        self._server = Jid("", server)
        self._secrets = secrets
        self._stream_id = new_id()

    def accept(self) -> None:
        """Let it in: the answer to Joined."""
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
        self._open_if_needed()

    def _on_handshake(self, digest: str) -> None:
        expected = handshake(self._stream_id, self._secrets[self.domain])
        if not hmac.compare_digest(digest.strip().encode(), expected.encode()):
            raise StreamError(StreamCondition.NOT_AUTHORIZED, f"that is not the secret of {self.domain}")

    def _on_stanza(self, child: Slice) -> Stanza | None:
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
        if stanza.may_be_answered_with_error:
            refused = msgspec.structs.replace(stanza, to=self._server)
            self.send(refused.error(StanzaError(Condition.JID_MALFORMED, malformed.text)))
        return None

    def _own_header(self) -> bytes:
        from_ = f" from={quoteattr(self.domain)}" if self.domain else ""
        return (
            f"<?xml version='1.0'?><stream:stream{from_} id={quoteattr(self._stream_id)} "
            f"xmlns='{COMPONENT}' xmlns:stream='{STREAMS}'>"
        ).encode()


class ConnectingStream(ComponentStream):
    """The component's side. Where the server refuses it, Closed says with which condition."""

    def __init__(self, domain: str, secret: str) -> None:
        super().__init__(domain)
        self._secret = secret
        self._open_if_needed()

    def _on_header(self, header: StreamHeader) -> None:
        if header.content_namespace != COMPONENT:
            raise StreamError(StreamCondition.INVALID_NAMESPACE, f"components speak {COMPONENT}")
        self.state = ComponentState.HANDSHAKING
        if header.id is not None:  # an error follows where a server has none to give
            self._output.append(f"<handshake>{handshake(header.id, self._secret)}</handshake>".encode())

    def _on_handshake(self, digest: str) -> None:
        self.state = ComponentState.OPEN

    def _on_stanza(self, child: Slice) -> Stanza:
        try:
            return out_of_stream(child)
        except MalformedTo as malformed:  # the server should have seen that
            raise StreamError(StreamCondition.IMPROPER_ADDRESSING, malformed.text) from None

    def _own_header(self) -> bytes:
        return (
            f"<?xml version='1.0'?><stream:stream to={quoteattr(self.domain)} "
            f"xmlns='{COMPONENT}' xmlns:stream='{STREAMS}'>"
        ).encode()


def _told(error: Slice) -> str:
    """A stream error in the words of `str(StreamError)`."""
    tree = xml.parse(error.raw)
    names = [xml.split(child.tag)[1] for child in tree if xml.split(child.tag)[0] == STREAM_ERRORS]
    condition = next((name for name in names if name != "text"), StreamCondition.UNDEFINED_CONDITION)
    text = xml.text_of(tree, f"{{{STREAM_ERRORS}}}text")
    return f"{condition}: {text}" if text else condition
