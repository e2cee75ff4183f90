"""The Twisted side of every stream that a server accepts: its connection, time limits and back-pressure."""

from __future__ import annotations

from abc import abstractmethod
from itertools import islice
from typing import Any, ClassVar
from typing import Protocol as Interface

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from zope.interface import implementer

from cluster.base.clock import Clock
from cluster.streams.backpressure import OTHERS, UNREAD, Reading, Unsettled
from cluster.streams.peer_clock import PeerCall, PeerClock
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.streams.events import Closed
from cluster.xmpp.streams.stream import Stream

CLOSE_TIMEOUT_S = 5.0
"""Time limit for a peer to end its side of a stream that the server ended (RFC 6120 section 4.4), and then to
disconnect."""

MAX_AT_ONCE = 32
"""Stanzas of one peer that are handled before all others have their turn. One read of a socket brings a thousand small
requests, which take a tenth of a second; and an account may have as many streams as sessions."""


class Flow(Interface):
    """A sender that can be told to wait."""

    def pause(self) -> None:
        """The peer does not read what it has been sent."""

    def resume(self) -> None:
        """The peer reads again."""


@implementer(IPushProducer)
class StreamConnection(Protocol):
    """One peer's connection."""

    first_timeout_s: ClassVar[float]
    """Time limit for the first step of the stream."""
    max_at_once: ClassVar[int] = MAX_AT_ONCE
    """Stanzas of the peer that are handled before all others have their turn."""
    max_unsettled: ClassVar[int]
    """Batches of its stanzas that may be unsettled before the server stops reading from it."""
    _log = Logger()

    def __init__(self, stream: Stream[Any], clock: Clock, peer_clock: PeerClock, connections: dict[Any, None]) -> None:
        """`connections`: those of its kind, which include this one as long as it lasts."""
        self._stream: Any = stream
        self._clock = clock
        self._peer_clock = peer_clock
        self._connections = connections
        self._timer: PeerCall | None = None
        self._at_once = 0  # events since others had their turn
        self._is_leaving = False  # Twisted's `disconnecting` is not set while TLS has unsent data, or no handshake yet
        self._reading: Reading
        self._unsettled: Unsettled
        self.transport: Any = None

    @property
    @abstractmethod
    def _outbox(self) -> Flow | None:
        """The outbox of the peer, once stanzas flow."""

    def connectionMade(self) -> None:
        """Wait for the peer's first bytes."""
        self._connections[self] = None
        self._reading = Reading(self.transport)
        self._unsettled = Unsettled(self._reading, self.max_unsettled)
        self.transport.registerProducer(self, True)
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)  # a peer that vanished without a goodbye is detected, if late
        self._limit(self.first_timeout_s)

    def dataReceived(self, data: bytes) -> None:
        """Feed, drain, write."""
        self._stream.receive_data(data)
        self._at_once = 0  # the reactor reads from each in turn
        if self._stream.state is not self._stream.CLOSED:
            self._drain()
        elif self._stream.is_over and not (self._is_leaving or self.transport.disconnecting):
            self.hang_up()

    def fail(self, error: StreamError) -> None:
        """End the stream with an error."""
        if self._stream.state is not self._stream.CLOSED:
            self._on_closed(self._stream.fail(error))

    def _limit(self, timeout_s: float | None) -> None:
        """Set the time limit for the peer's next step; None if it owes none."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._peer_clock.callLater(timeout_s, self._on_timeout) if timeout_s is not None else None

    def _on_timeout(self) -> None:
        if self._stream.state is not self._stream.CLOSED:
            self.fail(StreamError(StreamCondition.CONNECTION_TIMEOUT))
        elif self._is_leaving or self.transport.disconnecting:
            self.transport.abortConnection()
        else:
            self.hang_up()

    def _drain(self) -> None:
        """Handle the events of the stream, until others have to get their turn."""
        if not self._reading.is_stopped(OTHERS):
            on_event, count = self._on_event, 0
            for event in islice(self._stream.events(), self.max_at_once - self._at_once):
                on_event(event)
                count += 1
            self._at_once += count
            if self._at_once >= self.max_at_once and self._stream.state is not self._stream.CLOSED:
                self._reading.pauseProducing(OTHERS)
                self._clock.callLater(0, self._go_on_after_others)
        self._write_output()

    def _go_on_after_others(self) -> None:
        self._at_once = 0
        self._reading.resumeProducing(OTHERS)
        if self._stream.state is not self._stream.CLOSED:
            self._drain()

    def _drain_rest(self) -> None:
        """The connection is gone: handle the stanzas that came before, since there is no later turn for them."""
        if self._outbox is not None:
            for event in self._stream.events():
                self._on_event(event)
        self._stream.end_input()

    @abstractmethod
    def _on_event(self, event: Any) -> None:
        """Handle this event."""

    @abstractmethod
    def _write_output(self) -> None:
        """Write the output of the stream to the peer."""

    @abstractmethod
    def _on_closed(self, closed: Closed) -> None:
        """The server's side of the stream is closed; `_await_end` does the rest."""

    def _await_end(self) -> None:
        """Write the end of the server's side, and disconnect when the peer has ended its own (RFC 6120 section 4.4)."""
        self.transport.unregisterProducer()
        self._reading.resumeProducing(UNREAD)
        self.transport.write(self._stream.data_to_send())
        if self._stream.is_over:
            self.hang_up()
        else:
            self._limit(CLOSE_TIMEOUT_S)

    def hang_up(self) -> None:
        """Disconnect when all is written, or when that takes too long."""
        self._is_leaving = True
        self.transport.loseConnection()
        self._limit(CLOSE_TIMEOUT_S)

    # --- back-pressure

    def _flows(self) -> None:
        """Stanzas flow from now on: there is an outbox."""
        if self._reading.is_stopped(UNREAD):
            self.pauseProducing()

    def pauseProducing(self) -> None:
        """The peer does not read: keep its stanzas, or stop reading requests that need an answer."""
        if (outbox := self._outbox) is not None:
            outbox.pause()
        else:
            self._reading.pauseProducing(UNREAD)

    def resumeProducing(self) -> None:
        """The peer reads again."""
        self._reading.resumeProducing(UNREAD)
        if (outbox := self._outbox) is not None:
            outbox.resume()

    def stopProducing(self) -> None:
        """IPushProducer: the transport is gone; connectionLost does the rest."""
