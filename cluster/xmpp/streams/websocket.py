"""XMPP over WebSocket (RFC 7395): translates messages to the bytes of an XML stream, and back."""

from __future__ import annotations

import re

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.limits import FROM_CLIENT, FROM_SERVER, Limits
from cluster.xmpp.namespaces import CLIENT, FRAMING, STREAMS, XML
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from cluster.xmpp.quoting import quoteattr

SUBPROTOCOL = "xmpp"
"""What client and server agree on in the WebSocket handshake (section 3.1)."""
_STREAM = f"xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
_ATTRIBUTE = rb"\s+[^\s=]+\s*=\s*(?:\"[^\"]*\"|'[^']*')"
_DECLARED = re.compile(rb"(<[^\s/>]+(?:%b)*?)\s+xmlns\s*=\s*(?:\"jabber:client\"|'jabber:client')" % _ATTRIBUTE)
_NAME = re.compile(rb"<[^\s/>]+")


class WebSocketFraming:
    """One client's connection: translates both ways between messages and the bytes of a stream over TCP.

    So the streams need not know of WebSockets. Each message is parsed twice, a cost for users of WebSockets only.
    Between two messages the parsers rest, since clients are silent most of the time.
    """

    def __init__(self, limits: Limits = FROM_CLIENT) -> None:
        """`limits`: of each of the client's messages."""
        self._inbound = StreamParser(limits)
        self._inbound.feed(f"<stream:stream {_STREAM}".encode(), [])
        self._outbound = StreamParser(FROM_SERVER)

    def received(self, message: bytes) -> bytes:
        """The client's message, in the form of a stream. Raises StreamError for what is not one element."""
        found: list[StreamHeader | Slice | StreamEnd] = []
        self._inbound.feed(message, found)
        self._inbound.rest()
        child = found[0] if len(found) == 1 and not self._inbound.pending_bytes else None
        if not isinstance(child, Slice):  # section 3.3.3
            raise StreamError(StreamCondition.BAD_FORMAT, "a WebSocket message is one element, from its < to its >")
        if child.name == f"{FRAMING} open":
            names = {"to": "to", "from": "from", "version": "version", f"{XML} lang": "xml:lang"}
            told = [f"{names[key]}={quoteattr(value)}" for key, value in child.attributes.items() if key in names]
            return f"<?xml version='1.0'?><stream:stream {' '.join(told)} {_STREAM}".encode()
        if child.name == f"{FRAMING} close":
            return b"</stream:stream>"
        return _DECLARED.sub(rb"\1", child.raw, count=1) if _DECLARED.match(child.raw) else child.raw

    def to_send(self, data: bytes) -> list[bytes]:
        """The messages for these bytes of the server's side of a stream, which are whole elements."""
        if data.startswith(b"<?xml "):  # a new stream, or a restart
            self._outbound = StreamParser(FROM_SERVER)
        found: list[StreamHeader | Slice | StreamEnd] = []
        self._outbound.feed(data, found)
        self._outbound.rest()
        return [_message(child) for child in found]


def _message(child: StreamHeader | Slice | StreamEnd) -> bytes:
    """Each message declares its namespaces itself (section 3.3.3)."""
    if isinstance(child, StreamEnd):
        return f'<close xmlns="{FRAMING}"/>'.encode()
    if isinstance(child, StreamHeader):
        told = {
            "to": child.to, "from": child.from_, "id": child.id, "version": child.version, f"{{{XML}}}lang": child.lang
        }  # fmt: skip
        attributes = {name: value for name, value in told.items() if value is not None}
        return xml.serialize(Element(f"{{{FRAMING}}}open", attributes))
    declarations = ""
    if child.name.startswith(f"{CLIENT} ") and not _DECLARED.match(child.raw):
        declarations += f' xmlns="{CLIENT}"'
    if b"stream:" in child.raw:
        declarations += f' xmlns:stream="{STREAMS}"'
    return _NAME.sub(lambda name: name.group() + declarations.encode(), child.raw, count=1)
