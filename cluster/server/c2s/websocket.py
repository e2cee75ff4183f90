"""WebSocket connections of clients (RFC 7395): between twisted.web and the client streams, which do not know of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.handshake import H11Handshake
from wsproto.utilities import LocalProtocolError, RemoteProtocolError
from zope.interface import implementer

from cluster.server.c2s.client_streams import ClientStreams
from cluster.streams.backpressure import OTHERS, UNREAD, Reading
from cluster.streams.connection import MAX_AT_ONCE
from cluster.xmpp.errors import StreamError
from cluster.xmpp.limits import FROM_CLIENT
from cluster.xmpp.streams.websocket import SUBPROTOCOL, WebSocketFraming

MAX_FRAMES_AT_ONCE = MAX_AT_ONCE
"""Frames of one client before all others have their turn: one read of a socket may bring ten thousand empty ones."""


@implementer(IPushProducer)
class _Writable:
    """Whether the client reads.

    While it does not, only the newest of its pings is answered, as RFC 6455 section 5.5.3 allows: bytes for a client
    that does not read stay in memory.
    """

    def __init__(self, send: Callable[[Any], None]) -> None:
        self.producer: Any = None
        """That of the stream."""
        self._send = send
        self._is_full = False
        self._pong: Any = None

    def answer(self, pong: Any) -> None:
        """Send it, now or when the client reads again."""
        if self._is_full:
            self._pong = pong
        else:
            self._send(pong)

    def pauseProducing(self) -> None:
        """IPushProducer: the client does not read."""
        self._is_full = True
        if self.producer is not None:
            self.producer.pauseProducing()

    def resumeProducing(self) -> None:
        """IPushProducer: the client reads again."""
        self._is_full = False
        pong, self._pong = self._pong, None
        if pong is not None:
            self._send(pong)
        if self.producer is not None:
            self.producer.resumeProducing()

    def stopProducing(self) -> None:
        """IPushProducer: the connection is gone; connectionLost does the rest."""


class WebSocket(ProtocolWrapper):
    """One connection after its handshake: the transport of a client's stream."""

    wrappedProtocol: Any  # ClientStream
    transport: Any

    def __init__(self, factory: WebSockets, stream: Any) -> None:
        """`stream`: a ClientStream."""
        super().__init__(factory, stream)
        self._frames = Connection(ConnectionType.SERVER)
        self._framing = WebSocketFraming(FROM_CLIENT)
        self._begun = bytearray()  # of a message in several frames
        self._writable = _Writable(self._send)
        self._is_secure = factory.is_secure
        self._clock = factory.clock
        self._reading: Reading

    def connectionMade(self) -> None:
        """The handshake is done; the state of TLS does not change any more."""
        self._reading = Reading(self.transport)
        self.transport.registerProducer(self._writable, True)
        if self._is_secure:
            self.wrappedProtocol.secured()

    def dataReceived(self, data: bytes) -> None:
        """Frames of the client."""
        if self.disconnecting:
            return
        try:
            self._frames.receive_data(data)
            if not self._reading.is_stopped(OTHERS):
                self._read_frames(MAX_FRAMES_AT_ONCE)
        except RemoteProtocolError as error:
            self._refuse(error.event_hint or CloseConnection(CloseReason.PROTOCOL_ERROR))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone; complete messages count."""
        if not self.disconnecting:
            self._read_frames(None)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def _read_frames(self, at_most: int | None) -> None:
        count = 0
        for event in islice(self._frames.events(), at_most):
            self._on_frame(event)
            count += 1
        if count == at_most:
            self._reading.pauseProducing(OTHERS)
            self._clock.callLater(0, self._go_on_after_others)

    def _go_on_after_others(self) -> None:
        self._reading.resumeProducing(OTHERS)
        self.dataReceived(b"")

    def _on_frame(self, event: object) -> None:
        match event:
            case TextMessage():
                self._begun += event.data.encode()
                if len(self._begun) > FROM_CLIENT.max_bytes:
                    self._refuse(CloseConnection(CloseReason.MESSAGE_TOO_BIG))
                elif event.message_finished:
                    message, self._begun = bytes(self._begun), bytearray()
                    self._on_message(message)
            case BytesMessage():
                self._refuse(CloseConnection(CloseReason.UNSUPPORTED_DATA, "XMPP is text"))  # RFC 7395 section 3.2
            case Ping():
                self._writable.answer(event.response())
            case CloseConnection():
                self._refuse(event.response())

    def _on_message(self, message: bytes) -> None:
        try:
            self.wrappedProtocol.dataReceived(self._framing.received(message))
        except StreamError as error:
            self.wrappedProtocol.fail(error)
            self.loseConnection()  # later input cannot be read

    def _send(self, *events: Any) -> None:
        if self._frames.state not in (ConnectionState.CLOSED, ConnectionState.LOCAL_CLOSING):
            self.transport.write(b"".join([self._frames.send(event) for event in events]))

    def _refuse(self, close: Any) -> None:
        self._send(close)
        self.transport.unregisterProducer()
        super().loseConnection()  # type: ignore[no-untyped-call]

    # --- as the transport of the stream

    def pauseProducing(self) -> None:
        """The stream reads no more for now."""
        self._reading.pauseProducing(UNREAD)

    def resumeProducing(self) -> None:
        """The stream reads again."""
        self._reading.resumeProducing(UNREAD)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Tell it when the client does not read."""
        self._writable.producer = producer

    def unregisterProducer(self) -> None:
        """Tell nobody any more."""
        self._writable.producer = None

    def write(self, data: bytes) -> None:
        """Whole elements of the server's side of the stream."""
        self._send(*(TextMessage(message.decode()) for message in self._framing.to_send(data)))

    def loseConnection(self) -> None:
        """Close the connection when all is written."""
        self._refuse(CloseConnection(CloseReason.NORMAL_CLOSURE))


class WebSockets(WrappingFactory[WebSocket]):
    """Creates a client stream for each connection, with a WebSocket around it."""

    protocol = WebSocket

    def __init__(self, streams: ClientStreams, is_secure: bool) -> None:
        """`is_secure`: the connections come through TLS."""
        super().__init__(streams)  # type: ignore[no-untyped-call]
        self.is_secure = is_secure
        self.clock = streams.clock


class WebSocketResource(Resource):
    """The resource for WebSockets. That of twisted.web.websocket cannot negotiate a subprotocol."""

    isLeaf = True

    def __init__(self, sockets: WebSockets) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._sockets = sockets

    def render_GET(self, request: Request) -> bytes | int:
        """The handshake (RFC 6455 section 4.2), with the subprotocol of RFC 7395 section 3.1."""
        handshake = H11Handshake(ConnectionType.SERVER)
        headers = [(name, value) for name, values in request.requestHeaders.getAllRawHeaders() for value in values]
        try:
            handshake.initiate_upgrade_connection(headers, request.path)
            answer = handshake.send(AcceptConnection(subprotocol=SUBPROTOCOL))
        except (RemoteProtocolError, LocalProtocolError):
            request.setResponseCode(400)
            request.setHeader(b"content-type", b"text/plain")
            return f"this is for WebSockets with the subprotocol {SUBPROTOCOL} (RFC 7395)\n".encode()
        channel: Any = request.channel
        channel.transport.write(answer)
        channel.transport.unregisterProducer()
        socket = self._sockets.buildProtocol(channel.transport.getPeer())
        channel._protocolUpgradeForWebsockets(socket)
        return NOT_DONE_YET
