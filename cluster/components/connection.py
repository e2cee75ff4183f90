"""A component's connection to its server (XEP-0114), which reconnects whenever it is lost, and the stanzas that wait
for it.

With a server that acknowledges (XEP-0198, as ours does) stanzas that were written when the connection broke are not
lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cluster.base.backoff import Backoff
from cluster.base.clock import Clock, as_interface
from cluster.base.settled import Settled
from cluster.streams.acknowledging import acknowledge
from cluster.streams.backpressure import Unsettled
from cluster.trace.hop import Event, Tracer
from cluster.xmpp.errors import StreamCondition
from cluster.xmpp.limits import ENTERING_BYTES
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.component import Acknowledged, ComponentState, ConnectingStream, Joined
from cluster.xmpp.streams.events import Closed
from cluster.xmpp.wellformed import why_malformed, why_too_large

FIRST_RETRY_S = 0.1
"""A server that restarts on the same machine is back within such a time."""
LONGEST_RETRY_S = 5.0
JOIN_TIMEOUT_S = 10.0
"""Time limit from the connection to the end of the handshake."""
LOOK_S = 5.0
"""How often it looks whether the server, if it acknowledges, has said something since, and asks it otherwise: a machine
that loses its power says nothing more, and without data TCP does not notice."""
SILENT_LOOKS = 3
"""After more in a row without a word the connection is given up."""
MAX_WAITING = 1_000
MAX_WAITING_BYTES = 32 << 20
"""Stanzas that may wait for the server, and their bytes. Beyond that the foreign network has to wait or to try
again."""
MAX_UNSETTLED = 64
"""Stanzas that the gateway may be handling before it stops reading from the server."""

_REMEDIES: dict[str, str] = {
    StreamCondition.NOT_AUTHORIZED: "the server knows another secret for it",
    StreamCondition.HOST_UNKNOWN: "the server expects no such component: check its topology",
    StreamCondition.CONFLICT: "another process is connected under this domain",
}


class Overloaded(Exception):
    """Too many stanzas wait for the server."""


class NotCarried(Exception):
    """The server would end the stream for this stanza, so it is refused before it is sent."""


class ComponentConnection:
    """One component of a server: stanzas in, stanzas out, whether or not the server is up right now."""

    _log = Logger()

    def __init__(
        self,
        reactor: Clock,
        endpoint: IStreamClientEndpoint,
        domain: str,
        secret: str,
        tracer: Tracer,
        jitter: Callable[[], float],
    ) -> None:
        """`jitter()` in [0, 1) spreads the attempts of many components."""
        self.domain = domain
        self.clock = reactor
        self._secret = secret
        self.tracer = tracer
        self._backoff = Backoff(FIRST_RETRY_S, LONGEST_RETRY_S, jitter)
        self._failures = 0
        self._take: Callable[[Stanza], Settled] | None = None
        self._on_joined: Callable[[], None] | None = None
        self._protocol: _ComponentProtocol | None = None
        self._waiting: deque[tuple[Stanza, Deferred[None]]] = deque()
        self._unacknowledged: deque[tuple[Stanza, Deferred[None]]] = deque()
        """Written to a server that acknowledges, and not acknowledged yet."""
        self._waiting_bytes = 0
        """Of both queues."""
        factory: Any = Factory.forProtocol(self._new_protocol)
        factory.noisy = False
        server: Any = _Server(domain, endpoint)  # zope.interface has no types
        self._service = ClientService(server, factory, retryPolicy=self._pause_s, clock=as_interface(reactor))

    @property
    def is_joined(self) -> bool:
        """Whether the handshake is done, so that the server accepts stanzas."""
        return self._protocol is not None

    def start(self, take: Callable[[Stanza], Settled], on_joined: Callable[[], None]) -> None:
        """Connect, as often as needed. `take` gets each stanza; `on_joined` is called after each handshake."""
        self._take, self._on_joined = take, on_joined
        self._service.startService()

    async def stop(self) -> None:
        """End the stream. Stanzas that still wait are lost, and their senders get CancelledError.

        So do the senders of stanzas that the server has not acknowledged, although it may have them.
        """
        if self._protocol is not None:
            self._protocol.close()
        await self._service.stopService()
        waiting, self._waiting = self._waiting, deque()
        self._waiting_bytes = sum(len(stanza.raw) for stanza, _ in self._unacknowledged)
        for _, settled in waiting:
            settled.cancel()
            settled.addErrback(lambda failure: None)  # some senders ignore it

    def send(self, stanza: Stanza) -> Settled:
        """Send a stanza to the server, now or when it is back; order is kept.

        It has settled when the server has acknowledged it, or when it is written if the server does not acknowledge.
        Cancel the Deferred to take the stanza back, as long as it is not written. Its `from` is of this component's
        domain. Raises Overloaded, or NotCarried for a stanza that no server accepts.
        """
        if reason := why_malformed(stanza.raw) or why_too_large(stanza.raw, ENTERING_BYTES):
            raise NotCarried(reason)
        count = len(self._waiting) + len(self._unacknowledged)
        if count >= MAX_WAITING or self._waiting_bytes + len(stanza.raw) > MAX_WAITING_BYTES:
            raise Overloaded(f"{count} stanzas wait for the server of {self.domain}")
        settled: Deferred[None] = Deferred()
        self._waiting.append((stanza, settled))
        self._waiting_bytes += len(stanza.raw)
        self.drain()
        return None if settled.called else settled

    # --- called by the protocol

    def joined(self, protocol: _ComponentProtocol) -> None:
        """The handshake is done."""
        self._log.info("component {domain} is connected", domain=self.domain)
        self._failures = 0
        self._protocol = protocol
        self.drain()
        if self._on_joined is not None:
            self._on_joined()

    def drain(self) -> None:
        """Write the waiting stanzas, as long as the server reads."""
        while self._waiting and self._protocol is not None and self._protocol.is_writable:
            stanza, settled = self._waiting.popleft()
            if settled.called:
                self._waiting_bytes -= len(stanza.raw)
                continue  # it was taken back
            self.tracer.record(Event.SENT, stanza)
            if self._protocol.send(stanza):
                self._unacknowledged.append((stanza, settled))
            else:
                self._waiting_bytes -= len(stanza.raw)
                settled.callback(None)

    def acknowledged(self, count: int) -> None:
        """The server has acknowledged `count` more stanzas."""
        for _ in range(count):
            stanza, settled = self._unacknowledged.popleft()
            self._waiting_bytes -= len(stanza.raw)
            if not settled.called:  # otherwise its sender gave up waiting
                settled.callback(None)

    def take(self, stanza: Stanza) -> Settled:
        """Handle a stanza of the server."""
        assert self._take is not None
        self.tracer.record(Event.RECEIVED, stanza)
        return self._take(stanza)

    def left(self, protocol: _ComponentProtocol, reason: str) -> None:
        """The stream has ended."""
        if self._protocol is protocol:
            self._protocol = None
            self._waiting.extendleft(reversed(self._unacknowledged))
            self._unacknowledged.clear()
        if remedy := _REMEDIES.get(reason.partition(":")[0]):
            self._log.error("component {domain}: {reason}; {remedy}", domain=self.domain, reason=reason, remedy=remedy)
        else:
            self._log.info("component {domain} is away: {reason}", domain=self.domain, reason=reason)

    def _new_protocol(self) -> _ComponentProtocol:
        return _ComponentProtocol(self, ConnectingStream(self.domain, self._secret))

    def _pause_s(self, attempt: int) -> float:
        """Doubles until a handshake succeeds; a mere connection does not reset it."""
        self._failures += 1
        return round(self._backoff.pause_s(self._failures - 1), 3)  # Twisted logs it


@implementer(IStreamClientEndpoint)
class _Server:
    """The endpoint of the server, with a text for Twisted's log: "Scheduling retry 2 to connect …"."""

    def __init__(self, domain: str, endpoint: Any) -> None:
        self._domain = domain
        self._endpoint = endpoint

    def __str__(self) -> str:
        return f"component {self._domain} to its server"

    def connect(self, protocolFactory: Any) -> Any:
        return self._endpoint.connect(protocolFactory)


@implementer(IPushProducer)
class _ComponentProtocol(Protocol):
    """One connection: the Twisted side of `ConnectingStream`."""

    def __init__(self, component: ComponentConnection, stream: ConnectingStream) -> None:
        self.is_writable = True
        self._component = component
        self._stream = stream
        self._reason = ""
        self._has_joined = False
        self._timer: DelayedCall | None = None
        self._silent_looks = 0
        self._unsettled: Unsettled
        self.transport: Any = None

    def connectionMade(self) -> None:
        self._unsettled = Unsettled(self.transport, MAX_UNSETTLED)
        self.transport.setTcpNoDelay(True)
        self._timer = self._component.clock.callLater(JOIN_TIMEOUT_S, self.transport.abortConnection)
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        self._silent_looks = 0
        self._stream.receive_data(data)
        for event in self._stream.events():
            match event:
                case Stanza():
                    acknowledge(self._stream, self._component.take(event), self._unsettled, self._flush)
                case Acknowledged():
                    self._component.acknowledged(event.count)
                case Joined():
                    self._cancel_timer()
                    self._has_joined = True
                    self._look_later()
                    self.transport.registerProducer(self, True)
                    self._component.joined(self)
                case Closed():
                    self._end(event)
        self._flush()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._cancel_timer()
        self._component.left(self, self._reason or reason.getErrorMessage())

    def _look_later(self) -> None:
        self._timer = self._component.clock.callLater(LOOK_S, self._look)

    def _look(self) -> None:
        self._silent_looks += 1
        if self._silent_looks > SILENT_LOOKS:
            self._reason = "the server does not answer"
            self.transport.abortConnection()
        elif self._silent_looks == 1 or self._stream.ask():
            self._look_later()
            self._flush()

    def send(self, stanza: Stanza) -> bool:
        """Write a stanza; returns whether the server is going to acknowledge it."""
        self._stream.send(stanza)
        self._flush()
        return self._stream.management is not None

    def close(self) -> None:
        """End the stream."""
        if self._stream.state is not ComponentState.CLOSED:
            self._end(self._stream.close("regular end"))

    def pauseProducing(self) -> None:
        """IPushProducer: the server does not read."""
        self.is_writable = False

    def resumeProducing(self) -> None:
        """IPushProducer: the server reads again."""
        self.is_writable = True
        self._component.drain()

    def stopProducing(self) -> None:
        """IPushProducer: the transport is gone; connectionLost does the rest."""

    def _end(self, closed: Closed) -> None:
        self._reason = closed.reason
        self.is_writable = False
        self._flush()
        if self._has_joined:
            self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _flush(self) -> None:
        if data := self._stream.data_to_send():
            self.transport.write(data)

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
