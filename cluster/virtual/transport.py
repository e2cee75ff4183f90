"""One end of a connection: a transport of Twisted, with buffers and back-pressure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IPushProducer, ITCPTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from cluster.virtual import tls
from cluster.virtual.processor import READ_BYTES
from cluster.virtual.sending import NOTHING, Item, Sending
from cluster.virtual.sockets import SOCKET
from cluster.virtual.timeline import VirtualCall
from cluster.virtual.wire import Path

if TYPE_CHECKING:
    from cluster.virtual.host import Host

BUFFER_BYTES = 65_536
"""A producer is paused when more is unsent, as Twisted's FileDescriptor does."""


@implementer(ITCPTransport, IPushProducer)
class Transport(Sending):
    """One end of a TCP connection. Bytes arrive in order, and none is lost unless the connection is reset."""

    __slots__ = (
        "_half_closed", "_half_closing", "_has_hello", "_held", "_here", "_is_client", "_is_delivering",
        "_is_producer_paused", "_is_reading", "_is_streaming", "_is_unreachable", "_received", "_settles", "_there",
        "disconnecting", "on_lost", "producer", "protocol", "tls_context",
    )  # fmt: skip
    _log = Logger()

    def __init__(self, host: Host, path: Path, here: IPv4Address, there: IPv4Address, *, is_client: bool) -> None:
        """`path` leads to the other end."""
        super().__init__(host, path)
        self.disconnecting = False
        self.producer: Any = None
        self.protocol: Any = None
        self._here, self._there = here, there
        self._is_client = is_client
        self._is_streaming = self._is_producer_paused = False
        self.on_lost: Callable[[Failure], None] = _ignore
        """Called with the reason, after the protocol has been told."""
        self._received = NOTHING
        self._is_reading = True
        self._is_delivering = False
        self._settles: VirtualCall | None = None
        self._is_unreachable = False
        self._half_closing = self._half_closed = False
        self._held: list[bytes] | None = None  # written during the handshake
        self._has_hello = False
        self.tls_context: object = None
        """What this end has started TLS with."""

    # --- of ITransport and ITCPTransport

    def write(self, data: bytes) -> None:
        """Send data, or keep it until the window and the path let it through."""
        if type(data) is not bytes:
            raise TypeError(f"data must be bytes, not {type(data).__name__}")
        if not data or not self.connected or self._half_closing:
            return
        if self._held is not None:
            self._held.append(data)
        elif not self._unsent and self._has_room(size_bytes := len(data)):
            self._send_data(data, size_bytes)
            self._on_all_sent()
            return
        else:
            self._enqueue(data)
        self._unsent_bytes += len(data)
        self._send_soon(len(data))
        if self._unsent_bytes > self._host.most_unsent_bytes:
            self._host.most_unsent_bytes = self._unsent_bytes
        if self._is_streaming and not self._is_producer_paused and self._unsent_bytes > BUFFER_BYTES:
            self._is_producer_paused = True
            self.producer.pauseProducing()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Write all chunks."""
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        """Close the connection when all data is sent; read no more."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._settle()

    def loseWriteConnection(self) -> None:
        """Close the write side when all data is sent."""
        if self.connected and not self._half_closing:
            self._half_closing = True
            self._settle()

    def abortConnection(self) -> None:
        """Reset the connection; data under way may be lost."""
        if self.connected:
            self.connected = False
            self._host.later(self._lost, Failure(ConnectionAborted()))
            self.reset()

    def getPeer(self) -> IPv4Address:
        """The address of the other end."""
        return self._there

    def getHost(self) -> IPv4Address:
        """The address of this end."""
        return self._here

    def getTcpNoDelay(self) -> bool:
        """Nothing is delayed here."""
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing is delayed here."""

    def getTcpKeepAlive(self) -> bool:
        """No probes are modelled."""
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Without effect: by default the first probe is sent after two hours of silence."""

    # --- producers

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Register a push producer (`streaming`), or a pull producer."""
        if self.producer is not None:
            raise RuntimeError(f"Cannot register producer {producer}: {self.producer} was never unregistered")
        if not self.connected:
            producer.stopProducing()
            return
        self.producer, self._is_streaming = producer, streaming
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Unregister the producer."""
        self.producer, self._is_streaming, self._is_producer_paused = None, False, False
        if self.disconnecting or self._half_closing:
            self._settle()

    def pauseProducing(self) -> None:
        """Stop reading."""
        self._is_reading = False

    def resumeProducing(self) -> None:
        """Read again, from the next turn on."""
        if not self._is_reading and self.connected and not self.disconnecting:
            self._is_reading = True
            self._deliver_later()

    def stopProducing(self) -> None:
        """Close the connection."""
        self.loseConnection()

    # --- TLS

    def startTLS(self, contextFactory: object, normal: bool = True) -> None:
        """Start the handshake. Data written meanwhile is sent after it; see IHandshakeListener for its end."""
        self._held, self.tls_context = [], contextFactory
        if self._is_client:
            self._enqueue(tls.HELLO)
            self._send_soon(tls.HELLO.size_bytes)
        elif self._has_hello:
            self._on_flight(tls.HELLO)

    def getHandle(self) -> Any:
        """The TLS session, or the socket."""
        return self.tls or SOCKET

    def _on_flight(self, flight: tls.Flight) -> None:
        if flight is tls.HELLO:
            self._has_hello = True
            if self._held is not None:
                self._enqueue(tls.SERVER)
                self._send_soon(tls.SERVER.size_bytes)
            return
        if flight is tls.SERVER:
            self._enqueue(tls.FINISHED)
        held, self._held = self._held or [], None
        for each in held:
            self._enqueue(each)
        assert self.peer is not None  # it has sent a flight
        client = self if self._is_client else self.peer
        secret = f"{client.getHost()} {client.getPeer()}" if self.peer.tls is None else self.peer.tls.secret
        self.tls = tls.Handle(secret, self.peer.tls_context)
        self._send_soon(0)
        if IHandshakeListener.providedBy(self.protocol):
            self.protocol.handshakeCompleted()

    # --- when all is sent

    @override
    def _on_all_sent(self) -> None:
        if self._is_settling:
            self._settle()

    @property
    def _is_settling(self) -> bool:
        """Something happens when all data is sent."""
        return self._has_waiting_producer or self.disconnecting or (self._half_closing and not self._half_closed)

    @property
    def _has_waiting_producer(self) -> bool:
        """A pull producer, or a push producer that is paused: it resumes when all data is sent."""
        return self.producer is not None and (self._is_producer_paused or not self._is_streaming)

    def _settle(self) -> None:
        """In the next turn, if all data is sent: resume the producer, or close."""
        if self._settles is None and self.connected:
            self._settles = self._host.later(self._on_settled)

    def _on_settled(self) -> None:
        self._settles = None
        if self._unsent or self._held is not None or not self.connected:
            return  # `_pump` comes back to it
        if self._has_waiting_producer:
            self._is_producer_paused = False
            self.producer.resumeProducing()
        elif self.disconnecting:
            self._close()
        elif self._half_closing and not self._half_closed:
            self._half_closed = True
            self._enqueue(None)
            self._pump()
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self.protocol.writeConnectionLost()

    def _close(self) -> None:
        """Close after all data is sent. Unread data makes it a reset (RFC 9293 section 3.6.1)."""
        if self._received and self._received[0] is not None:
            self.reset()
        elif not self._half_closed:
            self._send_end()
        self._lost(Failure(ConnectionDone()))

    def _send_end(self) -> None:
        if self._path.is_cut:
            self._path.when_mended(self._send_end)
        else:
            self._send(None, 0)

    def reset(self) -> None:
        """Send a reset; it is lost where the path is cut."""
        if self.peer is not None and not self._path.is_cut:
            self.arrive_later(0, self.peer._host.life, self.peer._on_reset)

    @override
    def _on_reset(self) -> None:
        if not self._is_unreachable:
            self._lost(Failure(ConnectionLost()))

    # --- receiving

    def open(self, protocol: Any) -> None:
        """The connection is established."""
        self.connected = True
        self.protocol = protocol
        protocol.makeConnection(self)

    def _arrived(self, item: Item) -> None:
        if self._is_unreachable:
            return
        if self.disconnected or not self.connected:
            if item is not None:
                self.reset()
            return
        processor = self._host.life.processor
        turn = processor if processor is not None and processor.in_turn else None
        if not (self._received or self._is_delivering or turn) and self._is_reading and not self.disconnecting:
            self._take(item)
            return
        if self._received is NOTHING:
            self._received = deque()
        self._received.append(item)
        if turn is not None:
            turn.read(self)
        elif not self._is_delivering:
            self._deliver()

    def read(self) -> None:
        """Deliver what has arrived, in one read where turns take time."""
        if self._is_delivering:
            return
        first = self._received[0] if self._received else None
        if isinstance(first, bytes) and len(self._received) > 1:
            self._merge(first)
        self._deliver()

    def _merge(self, first: bytes) -> None:
        """Join the first segments."""
        received, parts, size_bytes = self._received, [], 0
        while received and isinstance(item := received[0], bytes) and size_bytes + len(item) <= READ_BYTES:
            size_bytes += len(item)
            parts.append(item)
            received.popleft()
        if parts:
            received.appendleft(b"".join(parts))

    def _deliver_later(self) -> None:
        if not self._is_delivering and self._received:
            self._is_delivering = True
            self._host.later(self._deliver)

    def _deliver(self) -> None:
        """Deliver one segment; later ones are delivered in their own turns."""
        self._is_delivering = False
        if not self._is_reading or self.disconnecting or not self.connected or not self._received:
            return
        item = self._received.popleft()
        if not self._received:
            self._received = NOTHING
        self._take(item)

    def _take(self, item: Item) -> None:
        if type(item) is bytes:
            assert self.peer is not None
            self.peer._on_read(len(item))
            if (processor := self._host.life.processor) is not None:
                processor.tally.reads += 1
                processor.tally.read_bytes += len(item)
            try:
                self.protocol.dataReceived(item)
            except Exception:  # as Twisted does: the connection is over
                self._log.failure("Unhandled error of a protocol")
                self._host.network.timeline.failures += 1
                self.reset()
                self._lost(Failure())
        elif isinstance(item, tls.Flight):
            self._on_flight(item)
        elif IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self._close()
        if self._received:
            self._deliver_later()

    def _lost(self, reason: Failure) -> None:
        """Tell the protocol that the connection is lost."""
        if self.disconnected:
            return
        self.connected, self.disconnected = False, True
        self._unsent = self._received = NOTHING
        self._unsent_bytes = 0
        producer, self.producer = self.producer, None
        self._host.forget(self)
        if producer is not None:
            producer.stopProducing()
        protocol, self.protocol = self.protocol, None
        protocol.connectionLost(reason)
        on_lost, self.on_lost = self.on_lost, _ignore
        on_lost(reason)

    def abandon(self) -> None:
        """Give up a connection that is not established yet."""
        self.disconnected = True
        self._host.forget(self)
        self.reset()

    def lose_network(self) -> None:
        """Nothing leaves this end or arrives at it any more, and nobody is told."""
        self._drop()
        self._is_unreachable = True

    def vanish(self) -> None:
        """The process of this end has crashed: drop unsent data, and reset the connection.

        Where the path is cut, the other end sends again what was under way, and gets its reset when that arrives.
        """
        self._drop()
        self.protocol = self.producer = None
        if self._path.is_cut and self.peer is not None and self.peer.in_flight_bytes:
            self._path.when_mended(self.reset)
        else:
            self.reset()

    def _drop(self) -> None:
        self.connected, self.disconnected = False, True
        self._unsent = self._received = NOTHING


def _ignore(reason: Failure) -> None:
    pass
