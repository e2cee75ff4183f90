"""A connection between two servers, opened by either of them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Protocol

from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer

from cluster.router.s2s.ports import NEGOTIATION_S, S2sPorts
from cluster.streams.backpressure import UNANSWERED
from cluster.streams.connection import Flow, StreamConnection
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Closed
from cluster.xmpp.streams.servers.stream import MAX_TOLD, ServerStream
from cluster.xmpp.streams.sm import REQUEST

MAX_AT_ONCE = 1_024
"""Stanzas of one peer, which are those of a whole domain, that are handled before all others have their turn."""
MAX_UNSETTLED = 64
"""Batches of a peer's stanzas that may be unsettled before the server stops reading from it."""
KEEP_ALIVE_S = 15.0
"""The period of requests for acknowledgement (XEP-0198); a peer that sends nothing until the next one is gone. A peer
without XEP-0198 gets a space if nothing else was sent (RFC 6120 section 4.6.1)."""

SHOW_LIFE_S = 5.0
"""The period of spaces to a peer that is not read from, while a fault closes its link or much is unsettled."""

MAX_UNREAD_BYTES = 1 << 20
"""Answers to a peer that reads nothing and goes on asking, while stanzas for it wait; beyond it, the stream ends."""


class Sender(Flow, Protocol):
    """The owner of stanzas, which sends them over a connection."""

    @property
    def is_busy(self) -> bool:
        """Some stanza is not acknowledged, or not written."""

    def acknowledged(self, count: int) -> None:
        """The `count` oldest unacknowledged stanzas are safe with the peer."""

    def lost(self, connection: ServerConnection, reason: str) -> None:
        """The stream, which was open, is over; called once."""


@implementer(IHandshakeListener)
class ServerConnection(StreamConnection):
    """One end of a stream between servers. While it has a sender, that one's stanzas go over it."""

    first_timeout_s = NEGOTIATION_S
    max_at_once = MAX_AT_ONCE
    max_unsettled = MAX_UNSETTLED
    _stream: ServerStream[Any]

    def __init__(self, stream: ServerStream[Any], ports: S2sPorts, connections: dict[Any, None]) -> None:
        super().__init__(stream, ports.clock, ports.peer_clock, connections)
        self._ports = ports
        self._sender: Sender | None = None
        self._has_written = False
        self._has_heard = True
        self._shows_life = self._is_gone = False
        self._unread_bytes: int | None = None
        """What the peer was answered since it reads nothing; None while it reads."""

    @property
    def stream(self) -> ServerStream[Any]:
        """The protocol of this connection."""
        return self._stream

    @property
    def _outbox(self) -> Flow | None:
        return self._sender

    def dataReceived(self, data: bytes) -> None:
        """Any data shows that the peer is alive."""
        self._has_heard = True
        super().dataReceived(data)

    def start_tls(self, side: Any) -> None:
        """Start TLS after what was written so far, which is sent in clear."""
        self._write_output()
        self.transport.startTLS(side)

    def handshakeCompleted(self) -> None:
        """Tell the stream that TLS is up."""
        assert self._ports.tls is not None  # it was started with it
        self._stream.tls_started(self._ports.tls.certificate_of(self.transport.getHandle()))
        self._drain()

    # --- the stanzas of the peer

    def wait(self) -> None:
        """Stop reading from the peer, perhaps for minutes: its requests are not answered, so it is told otherwise that
        this side is alive."""
        self._reading.pauseProducing(UNANSWERED)
        if not self._shows_life:
            self._shows_life = True
            self._peer_clock.callLater(SHOW_LIFE_S, self._show_life)

    def go_on(self) -> None:
        """Read from the peer again."""
        self._reading.resumeProducing(UNANSWERED)

    def _show_life(self) -> None:
        self._shows_life = self._reading.is_stopped(UNANSWERED) and not self._is_gone
        if self._shows_life:
            self.transport.write(b" ")  # RFC 6120 section 4.6.1
            self._peer_clock.callLater(SHOW_LIFE_S, self._show_life)

    def pauseProducing(self) -> None:
        """The peer does not read. While there is a sender, that one waits, and the peer is still read: two servers that
        both stop would wait for each other."""
        self._unread_bytes = 0
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """The peer reads again."""
        self._unread_bytes = None
        super().resumeProducing()

    # --- the stanzas of the sender

    def carry(self, sender: Sender) -> None:
        """Stanzas of this sender go over the stream from now on, which is open."""
        self._sender = sender
        self._flows()
        self._peer_clock.callLater(KEEP_ALIVE_S, self._keep_alive)

    def write(self, stanzas: list[Stanza]) -> None:
        """Write these stanzas of the sender, as `into_stream` makes them."""
        self._has_written = True
        raw = b"".join([stanza.raw for stanza in stanzas])
        self.transport.write(raw + self._stream.written(stanzas))

    def end(self) -> None:
        """Close the stream."""
        if self._stream.state is not self._stream.CLOSED:
            self._on_closed(self._stream.close())

    def _keep_alive(self) -> None:
        if self._sender is None:
            return
        management = self._stream.management
        is_heard = self._has_heard or self._reading.is_stopped(UNANSWERED)
        if management is not None and not is_heard:  # it was asked
            self.fail(StreamError(StreamCondition.CONNECTION_TIMEOUT, "the peer does not answer"))
            return
        if management is not None:
            self._has_heard = False
            self.transport.write(REQUEST)
        elif not self._has_written:
            self.transport.write(b" ")
        self._has_written = False
        self._peer_clock.callLater(KEEP_ALIVE_S, self._keep_alive)

    # --- the end

    def _write_output(self) -> None:
        if not (data := self._stream.data_to_send()):
            return
        self.transport.write(data)
        if self._unread_bytes is not None and self._sender is not None:
            self._unread_bytes += len(data)
            if self._unread_bytes > MAX_UNREAD_BYTES:
                self._unread_bytes = None
                self.fail(StreamError(StreamCondition.POLICY_VIOLATION, "the peer does not read what it is sent"))

    def _on_closed(self, closed: Closed) -> None:
        self._over(closed.reason[:MAX_TOLD] or "the stream was closed")
        self._await_end()

    @abstractmethod
    def _over(self, reason: str) -> None:
        """The stream is over, for this reason. May be called more than once."""
        self._is_gone = True
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.lost(self, reason)
