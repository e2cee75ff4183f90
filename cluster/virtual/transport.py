"""One end of a connection: a transport of Twisted, with buffers, a window and back-pressure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IPushProducer, ITCPTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cluster.virtual import tls
from cluster.virtual.timeline import Life, State, VirtualCall
from cluster.virtual.wire import Path

if TYPE_CHECKING:
    from cluster.virtual.host import Host

BUFFER_BYTES = 65_536
"""A producer is paused when more is unsent, as Twisted's FileDescriptor does."""

Item = bytes | tls.Flight | None
"""An item of the byte stream: data, a flight of the TLS handshake, or its end (None)."""


@implementer(ITCPTransport, IPushProducer)
class Transport:
    """One end of a TCP connection. Bytes arrive in order, and none is lost unless the connection is reset."""

    _log = Logger()

    def __init__(self, host: Host, path: Path, here: IPv4Address, there: IPv4Address, *, is_client: bool) -> None:
        """`path` leads to the other end."""
        self.connected = self.disconnected = self.disconnecting = False
        self.producer: Any = None
        self.protocol: Any = None
        self.peer: Transport | None = None
        self.in_flight_bytes = 0
        """Bytes sent that the protocol at the other end has not read."""
        self._host = host
        self._path = path
        self._here, self._there = here, there
        self._is_client = is_client
        self._is_streaming = self._is_producer_paused = False
        self._unsent: deque[Item] = deque()
        self._unsent_bytes = 0
        self._received: deque[Item] = deque()
        self._is_reading = True
        self._is_delivering = False
        self._settles: VirtualCall | None = None
        self._last_arrival_ns = 0
        self._is_waiting_for_path = False
        self._half_closing = self._half_closed = False
        self._held: list[bytes] | None = None  # written during the handshake
        self._has_hello = False
        self.tls: tls.Handle | None = None

    # --- of ITransport and ITCPTransport

    def write(self, data: bytes) -> None:
        """Send data, or keep it until the window and the path let it through."""
        if type(data) is not bytes:
            raise TypeError(f"data must be bytes, not {type(data).__name__}")
        if not data or not self.connected or self._half_closing:
            return
        if self._held is not None:
            self._held.append(data)
        else:
            self._unsent.append(data)
        self._unsent_bytes += len(data)
        self._pump()
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
            self._host.later(self._lost, Failure(ConnectionAborted()))  # type: ignore[no-untyped-call]
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
        """No probes are sent: see `setTcpKeepAlive`."""
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """No probes are modelled: by default the first one is sent after two hours."""

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
        self._held = []
        if self._is_client:
            self._unsent.append(tls.HELLO)
            self._pump()
        elif self._has_hello:
            self._on_flight(tls.HELLO)

    def getHandle(self) -> Any:
        """The TLS session; None without."""
        return self.tls

    def _on_flight(self, flight: tls.Flight) -> None:
        if flight is tls.HELLO:
            self._has_hello = True
            if self._held is not None:
                self._unsent.append(tls.SERVER)
                self._pump()
            return
        if flight is tls.SERVER:
            self._unsent.append(tls.FINISHED)
        held, self._held = self._held or [], None
        self._unsent.extend(held)
        client = self if self._is_client else self.peer
        assert client is not None
        self.tls = tls.Handle(f"{client.getHost()} {client.getPeer()}".encode())
        self._pump()
        if IHandshakeListener.providedBy(self.protocol):
            self.protocol.handshakeCompleted()

    # --- sending

    @property
    def unsent_bytes(self) -> int:
        """Bytes that wait at this end."""
        return self._unsent_bytes

    def _pump(self) -> None:
        """Send what the window and the path let through."""
        wire = self._path.wire
        while self._unsent and self.connected and self.in_flight_bytes < wire.window_bytes and self._is_open():
            item = self._unsent.popleft()
            if isinstance(item, bytes):
                most = min(wire.segment_bytes, wire.window_bytes - self.in_flight_bytes)
                if len(item) > most:
                    self._unsent.appendleft(item[most:])
                    item = item[:most]
                self._unsent_bytes -= len(item)
                self.in_flight_bytes += len(item)
                self._send(item, len(item) + (tls.RECORD_BYTES if self.tls is not None else 0))
            else:
                self._send(item, item.size_bytes if item is not None else 0)
        if self._is_settling and not self._unsent:
            self._settle()

    @property
    def _is_settling(self) -> bool:
        """Something happens when all data is sent."""
        waits = self.producer is not None and (self._is_producer_paused or not self._is_streaming)
        return waits or self.disconnecting or (self._half_closing and not self._half_closed)

    def _is_open(self) -> bool:
        """The path is not cut; if it is, `_pump` runs again when it is mended."""
        if self._path.is_cut and not self._is_waiting_for_path:
            self._is_waiting_for_path = True
            self._path.when_mended(self._go_on)
        return not self._path.is_cut

    def _go_on(self) -> None:
        self._is_waiting_for_path = False
        self._host.later(self._pump)

    def _send(self, item: Item, size_bytes: int) -> None:
        assert self.peer is not None  # nothing is sent before the connection is there
        self._host.network.sent_bytes += size_bytes
        if self.peer.is_of_dead:
            self._host.network.timeline.call(2 * self._path.latency_ns, self._host.life, self._on_reset)
        else:
            self.arrive_later(size_bytes, self.peer._host.life, self.peer._arrived, item)

    def arrive_later(self, size_bytes: int, life: Life, what: Any, *args: object) -> None:
        """Call `what` at the other end, after all that was sent before has arrived."""
        timeline = self._host.network.timeline
        self._last_arrival_ns = at_ns = max(self._last_arrival_ns, self._path.arrival_ns(size_bytes))
        timeline.call(at_ns - timeline.now_ns, life, what, *args)

    @property
    def is_of_dead(self) -> bool:
        """The process of this end is over."""
        return self._host.life.state is State.OVER

    def _settle(self) -> None:
        """In the next turn, if all data is sent: resume the producer, or close."""
        if self._settles is None and self.connected:
            self._settles = self._host.later(self._on_settled)

    def _on_settled(self) -> None:
        self._settles = None
        if self._unsent or self._held is not None or not self.connected:
            return  # `_pump` comes back to it
        if self.producer is not None and (self._is_producer_paused or not self._is_streaming):
            self._is_producer_paused = False
            self.producer.resumeProducing()
        elif self.disconnecting:
            self._close()
        elif self._half_closing and not self._half_closed:
            self._half_closed = True
            self._unsent.append(None)
            self._pump()
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self.protocol.writeConnectionLost()

    def _close(self) -> None:
        """Close after all data is sent. Unread data makes it a reset (RFC 9293 section 3.6.1)."""
        if self._received and self._received[0] is not None:
            self.reset()
        elif not self._half_closed:
            self._send_end()
        self._lost(Failure(ConnectionDone()))  # type: ignore[no-untyped-call]

    def _send_end(self) -> None:
        if self._path.is_cut:
            self._path.when_mended(self._send_end)
        else:
            self._send(None, 0)

    def reset(self) -> None:
        """Send a reset; it is lost where the path is cut."""
        if self.peer is not None and not self._path.is_cut:
            self.arrive_later(0, self.peer._host.life, self.peer._on_reset)

    def _on_reset(self) -> None:
        self._lost(Failure(ConnectionLost()))  # type: ignore[no-untyped-call]

    # --- receiving

    def open(self, protocol: Any) -> None:
        """The connection is established."""
        self.connected = True
        self.protocol = protocol
        protocol.makeConnection(self)

    def _arrived(self, item: Item) -> None:
        if self.disconnected or not self.connected:
            if item is not None:
                self.reset()
            return
        self._received.append(item)
        if not self._is_delivering:
            self._deliver()

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
        if isinstance(item, bytes):
            assert self.peer is not None
            self.peer._on_read(len(item))
            try:
                self.protocol.dataReceived(item)
            except Exception:  # as Twisted does: the connection is over
                self._log.failure("Unhandled error of a protocol")
                self._host.network.timeline.failures += 1
                self.reset()
                self._lost(Failure())  # type: ignore[no-untyped-call]
        elif item is not None:
            self._on_flight(item)
        elif IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self._close()
        self._deliver_later()

    def _on_read(self, size_bytes: int) -> None:
        """The protocol at the other end has read so much. Its acknowledgement opens the window."""
        self.in_flight_bytes -= size_bytes
        if self._unsent and not self.disconnected:
            timeline = self._host.network.timeline
            timeline.call(self._path.latency_ns, self._host.life, self._pump)

    def _lost(self, reason: Failure) -> None:
        """Tell the protocol that the connection is lost."""
        if self.disconnected:
            return
        self.connected, self.disconnected = False, True
        self._unsent.clear()
        self._received.clear()
        self._unsent_bytes = 0
        producer, self.producer = self.producer, None
        self._host.forget(self)
        if producer is not None:
            producer.stopProducing()
        protocol, self.protocol = self.protocol, None
        protocol.connectionLost(reason)
        self.on_lost(reason)

    def abandon(self) -> None:
        """Give up a connection that is not established yet."""
        self.disconnected = True
        self._host.forget(self)
        self.reset()

    def on_lost(self, reason: Failure) -> None:
        """A hook for the connector."""

    def vanish(self) -> None:
        """The process of this end has crashed: drop unsent data, and reset the connection."""
        self.connected, self.disconnected = False, True
        self._unsent.clear()
        self._received.clear()
        self.reset()
