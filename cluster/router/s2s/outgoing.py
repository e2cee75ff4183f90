"""A stream that this server opened to another one, to send stanzas or to have a key verified."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from cluster.router.s2s.connection import ServerConnection
from cluster.router.s2s.ports import S2sPorts
from cluster.streams.connection import Flow
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Closed, TlsWanted
from cluster.xmpp.streams.servers.dialback import Pair, Verification
from cluster.xmpp.streams.servers.initiating import InitiatingEvent, InitiatingServerStream, Opened, Verified
from cluster.xmpp.streams.servers.stream import Acknowledged, ServerOptions
from cluster.xmpp.streams.sm import REQUEST, StreamManagement

KEEP_ALIVE_S = 15.0
"""So often a peer is asked how far it is (XEP-0198): one that says nothing until the next time is gone. A peer that
does not know that gets a space, where the stream was silent (RFC 6120 section 4.6.1)."""


class Sender(Flow, Protocol):
    """Whose stanzas an outgoing stream carries."""

    def opened(self, connection: OutgoingConnection, event: Opened) -> None:
        """Write from now on."""

    def acknowledged(self, count: int) -> None:
        """So many more are safe with the peer, the oldest first."""

    def lost(self, connection: OutgoingConnection, reason: str) -> None:
        """The stream is over; said once."""


class OutgoingConnection(ServerConnection):
    """The connection of one pair."""

    _stream: InitiatingServerStream

    def __init__(
        self, pair: Pair, options: ServerOptions, ports: S2sPorts, sender: Sender, former: StreamManagement | None
    ) -> None:
        self._ports = ports
        self._pair = pair
        self._sender: Sender | None = sender
        self._is_open = False
        self._has_written = False
        self._has_heard = True
        stream = InitiatingServerStream(pair, options, former=former)
        super().__init__(stream, ports.clock, ports.peer_clock, {})

    @property
    def stream(self) -> InitiatingServerStream:
        """The protocol's side of it."""
        return self._stream

    @property
    def _outbox(self) -> Flow | None:
        return self._sender if self._is_open else None

    def connectionMade(self) -> None:
        """Say who this is."""
        super().connectionMade()
        self._write_output()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, with or without a goodbye."""
        self._drain_rest()
        self._limit(None)
        self._over(reason.getErrorMessage())

    def dataReceived(self, data: bytes) -> None:
        """The peer is alive."""
        self._has_heard = True
        super().dataReceived(data)

    def write(self, stanzas: list[Stanza]) -> None:
        """These, as `into_stream` makes them."""
        self._has_written = True
        raw = b"".join([stanza.raw for stanza in stanzas])
        self.transport.write(raw + self._stream.written(stanzas))

    def end(self) -> None:
        """End the stream in good order."""
        if self._stream.state is not self._stream.CLOSED:
            self._on_closed(self._stream.close())

    def _on_event(self, event: InitiatingEvent) -> None:
        match event:
            case TlsWanted():
                assert self._ports.tls is not None
                self.start_tls(self._ports.tls.initiating(self._pair.to))
            case Opened():
                self._on_opened(event)
            case Acknowledged():
                if self._sender is not None:
                    self._sender.acknowledged(event.count)
            case Closed():
                self._on_closed(event)

    def _on_opened(self, event: Opened) -> None:
        self._limit(None)
        if self._stream.warning:
            self._log.warn("{to} is not known to be who it is: {why}", to=self._pair.to, why=self._stream.warning)
        secured = "TLS" if self._stream.secure else "in clear"
        self._log.info("stream to {to}: {how}, {secured}", to=self._pair.to, how=event.how, secured=secured)
        self._is_open = True
        self._write_output()  # before what is sent anew: what the former stream had
        self._flows()
        if self._sender is not None:
            self._sender.opened(self, event)
        self._peer_clock.callLater(KEEP_ALIVE_S, self._keep_alive)

    def _keep_alive(self) -> None:
        if self._sender is None:
            return
        management = self._stream.management
        if management is not None and not self._has_heard:  # it was asked
            self.fail(StreamError(StreamCondition.CONNECTION_TIMEOUT, "the peer does not answer"))
            return
        if management is not None:
            self._has_heard = False
            self.transport.write(REQUEST)
        elif not self._has_written:
            self.transport.write(b" ")
        self._has_written = False
        self._peer_clock.callLater(KEEP_ALIVE_S, self._keep_alive)

    def _over(self, reason: str) -> None:
        sender, self._sender = self._sender, None
        self._is_open = False
        if sender is not None:
            sender.lost(self, reason)


class VerifyingConnection(ServerConnection):
    """Asks the authoritative server of a domain whether a key is its own (XEP-0220 section 2.1.2), and nothing else."""

    _stream: InitiatingServerStream

    def __init__(self, verification: Verification, options: ServerOptions, ports: S2sPorts) -> None:
        self._ports = ports
        self._pair = Pair(verification.pair.to, verification.pair.from_)
        self.outcome: Deferred[bool | StanzaError] = Deferred()
        """Fires with what it said, or why it could not be asked."""
        stream = InitiatingServerStream(self._pair, options, verification=verification)
        super().__init__(stream, ports.clock, ports.peer_clock, {})

    def connectionMade(self) -> None:
        """Say who this is."""
        super().connectionMade()
        self._write_output()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Without an answer, that is an error (section 2.1.2)."""
        self._drain_rest()
        self._limit(None)
        self._over(reason.getErrorMessage())

    def _on_event(self, event: InitiatingEvent) -> None:
        match event:
            case TlsWanted():
                assert self._ports.tls is not None
                self.start_tls(self._ports.tls.initiating(self._pair.to))
            case Verified():
                self._fire(event.outcome)
                self._on_closed(self._stream.close())
            case Closed():
                self._on_closed(event)

    def _over(self, reason: str) -> None:
        condition = self._stream.failure.condition if self._stream.failure else Condition.REMOTE_SERVER_TIMEOUT
        self._fire(StanzaError(condition, f"{self._pair.to}: {reason}"))

    def _fire(self, outcome: bool | StanzaError) -> None:
        if not self.outcome.called:
            self.outcome.callback(outcome)
