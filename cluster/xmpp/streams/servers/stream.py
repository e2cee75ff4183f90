"""What both sides of a stream between servers share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from xml.sax.saxutils import quoteattr

import msgspec

from cluster.xmpp import element as xml
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.limits import CARRIED, Limits
from cluster.xmpp.namespaces import DIALBACK, SERVER, STREAM_ERRORS, STREAM_LIMITS, STREAMS
from cluster.xmpp.parser import Slice, StreamHeader
from cluster.xmpp.streams.servers.dialback import Pair
from cluster.xmpp.streams.sm import StreamManagement, read_count
from cluster.xmpp.streams.stream import Stream
from cluster.xmpp.streams.stream_options import TlsMode

E = TypeVar("E")

STRANGER = Limits(16_384, 16, 256)
"""What may be one element of a peer that is not authenticated."""


class ServerState(StrEnum):
    """How far a stream between servers has come."""

    OPENING = "opening"
    """Waits for the peer's stream header: the first one, or that of a restart."""
    NEGOTIATING = "negotiating"
    """The headers are exchanged."""
    SECURING = "securing"
    """TLS begins."""
    OPEN = "open"
    """Stanzas of one pair, at least, may flow."""
    CLOSED = "closed"


@dataclass(frozen=True)
class ServerOptions:
    """How a server speaks with those of other domains."""

    tls: TlsMode
    """`required`: nothing but STARTTLS happens before TLS, and no peer is spoken to without."""
    secret: str
    """Of its dialback keys: the same at all nodes of the domain (XEP-0185 section 3)."""
    idle_s: int
    """So long a stream may be silent: told by XEP-0478."""
    limits: Limits = CARRIED
    """Of each stanza."""
    peers: frozenset[str] | None = None
    """The only domains that may speak here; None: each that proves who it is."""


class Acknowledged(msgspec.Struct, frozen=True):
    """So many more of the stanzas that were sent are safe with the peer, the oldest first."""

    count: int


def header(pair: Pair, id: str = "", version: bool = True) -> bytes:
    """A stream header; `pair` is who speaks to whom, as far as it is known. `id`: of the receiving side."""
    named = (("from", pair.from_), ("to", pair.to), ("id", id), ("version", "1.0" if version else ""))
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in named if value)
    return (
        f"<?xml version='1.0'?><stream:stream{attributes} xml:lang='en' "
        f"xmlns='{SERVER}' xmlns:stream='{STREAMS}' xmlns:db='{DIALBACK}'>"
    ).encode()


def check(header: StreamHeader) -> None:
    """Raises StreamError for the header of a stream that is not one between servers."""
    if header.content_namespace != SERVER:
        raise StreamError(StreamCondition.INVALID_NAMESPACE, f"the content namespace here is {SERVER}")
    if header.version is not None and header.version.partition(".")[0].lstrip("0") not in ("", "1"):
        raise StreamError(StreamCondition.UNSUPPORTED_VERSION, "this server speaks XMPP 1.0")


def has_features(header: StreamHeader | None) -> bool:
    """The peer knows stream features: it says version 1.0 (RFC 6120 section 4.7.5)."""
    return header is not None and (header.version or "").partition(".")[0].lstrip("0") == "1"


def limits_offered(options: ServerOptions) -> str:
    """What the receiving side tells of its limits (XEP-0478)."""
    return (
        f"<limits xmlns='{STREAM_LIMITS}'><max-bytes>{options.limits.max_bytes}</max-bytes>"
        f"<idle-seconds>{options.idle_s}</idle-seconds></limits>"
    )


class ServerStream(Stream[E]):
    """One side of a stream between servers."""

    CLOSED = ServerState.CLOSED

    def __init__(self, options: ServerOptions) -> None:
        super().__init__(STRANGER)
        self.options = options
        self.state: ServerState = ServerState.OPENING
        self.secure = False
        self.management: StreamManagement | None = None
        """Counts what flows, once both sides acknowledge (XEP-0198)."""
        self.condition = ""
        """Of the stream error by which the peer ended the stream."""

    def _own_header(self) -> bytes:
        raise NotImplementedError

    def _on_peers_error(self, child: Slice) -> str:
        """The peer's stream error, in the words of `str(StreamError)`."""
        tree = xml.parse(child.raw)
        names = [xml.split(each.tag)[1] for each in tree if xml.split(each.tag)[0] == STREAM_ERRORS]
        self.condition = next((name for name in names if name != "text"), StreamCondition.UNDEFINED_CONDITION)
        text = xml.text_of(tree, f"{{{STREAM_ERRORS}}}text")
        return f"{self.condition}: {text}" if text else self.condition

    def _count_in(self, child: Slice) -> int:
        try:
            return read_count(child.attributes.get("h"))
        except ValueError as error:
            raise StreamError(StreamCondition.BAD_FORMAT, str(error)) from None

    def _acknowledged(self, child: Slice) -> Acknowledged | None:
        """The peer's `<a/>` (XEP-0198 section 4)."""
        management = self.management
        if management is None:
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"not expected here: {child.name}")
        before = management.unacknowledged
        self._output.append(management.acknowledged(self._count_in(child)))
        count = before - management.unacknowledged
        return Acknowledged(count) if count else None
