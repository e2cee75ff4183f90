"""Components' streams on TCP: the Twisted side of `AcceptingStream`. Without TLS, which XEP-0114 does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cluster.server.backpressure import Unsettled
from cluster.server.component import Component
from cluster.server.domain import Domain
from cluster.server.outbox import Outbox
from cluster.server.turn import Clock, Turn
from cluster.xmpp.component import AcceptingStream, ComponentState, Joined
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.events import Closed
from cluster.xmpp.stanza import Stanza

HANDSHAKE_TIMEOUT_S = 10.0
"""From the connection to the handshake."""
CLOSE_TIMEOUT_S = 5.0
"""How long a component may take to end its side of a stream that we ended (RFC 6120 section 4.4)."""
MAX_UNSETTLED = 64
"""Batches of a component's stanzas that may be on their way to safety before we stop reading from it."""


class ComponentStreams(Factory):
    """Makes a ComponentStream for each connection, and can end them all."""

    noisy = False

    def __init__(self, domain: Domain, clock: Clock, turn: Turn, new_id: Callable[[], str]) -> None:
        """`new_id` gives unpredictable ids (RFC 6120 section 4.7.3)."""
        self.streams: set[ComponentStream] = set()
        self.domain = domain
        self.clock = clock
        self.turn = turn
        self._new_id = new_id

    def buildProtocol(self, addr: object) -> ComponentStream:
        """A new connection."""
        secrets = {component.domain: component.secret for component in self.domain.components.values()}
        return ComponentStream(self, AcceptingStream(self.domain.name, secrets, self._new_id))

    def shut_down(self) -> None:
        """End every stream: `system-shutdown` (RFC 6120 section 4.9.3.19)."""
        for stream in [*self.streams]:
            stream.fail(StreamError(StreamCondition.SYSTEM_SHUTDOWN))
        for component in self.domain.components.values():
            component.stop()


@implementer(IPushProducer)
class ComponentStream(Protocol):
    """One component's connection."""

    _log = Logger()

    def __init__(self, shared: ComponentStreams, stream: AcceptingStream) -> None:
        self._shared = shared
        self._stream = stream
        self._component: Component | None = None
        self._outbox: Outbox | None = None
        self._timer: DelayedCall | None = None
        self._unsettled: Unsettled
        self.transport: Any = None

    # --- the connection

    def connectionMade(self) -> None:
        """Wait for the handshake."""
        self._shared.streams.add(self)
        self._unsettled = Unsettled(self.transport, MAX_UNSETTLED)
        self.transport.setTcpNoDelay(True)
        self._limit(HANDSHAKE_TIMEOUT_S)

    def dataReceived(self, data: bytes) -> None:
        """Feed, drain, write: the one rhythm."""
        self._stream.receive_data(data)
        for event in self._stream.events():
            match event:
                case Stanza():
                    settled = self._shared.domain.from_component(event)
                    if settled is not None:
                        self._unsettled.add(settled)
                case Joined():
                    self._join()
                case Closed():
                    self._on_closed(event)
        if data_to_send := self._stream.data_to_send():
            self.transport.write(data_to_send)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, with or without a goodbye."""
        self._shared.streams.discard(self)
        self._limit(None)
        self._leave()

    def fail(self, error: StreamError) -> None:
        """End the stream with an error."""
        if self._stream.state is not ComponentState.CLOSED:
            self._on_closed(self._stream.fail(error))

    def _limit(self, timeout_s: float | None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._shared.clock.callLater(timeout_s, self._on_timeout) if timeout_s is not None else None

    def _on_timeout(self) -> None:
        if self._stream.state is ComponentState.CLOSED:
            self.transport.abortConnection()
        else:
            self.fail(StreamError(StreamCondition.CONNECTION_TIMEOUT))

    # --- back-pressure

    def pauseProducing(self) -> None:
        """The component does not read: keep what is for it."""
        if self._outbox is not None:
            self._outbox.pause()

    def resumeProducing(self) -> None:
        """The component reads again."""
        if self._outbox is not None:
            self._outbox.resume()

    def stopProducing(self) -> None:
        """The transport is gone; connectionLost does the rest."""

    # --- what the stream says

    def _join(self) -> None:
        """The secret is right. A second connection is refused only now: nobody else is to learn of the first."""
        component = self._shared.domain.components[self._stream.domain]
        if component.is_connected:
            self.fail(StreamError(StreamCondition.CONFLICT, f"{component.domain} is connected already"))
            return
        self._limit(None)
        self._component = component
        self._outbox = Outbox(self._shared.turn, self.transport.write, self.fail)
        self._stream.accept()
        self.transport.registerProducer(self, True)
        component.attach(self._outbox)  # what it sends is written in a later turn, behind the answer
        self._log.info("component {domain} is connected", domain=component.domain)

    def _on_closed(self, closed: Closed) -> None:
        """Our end of the stream is closed; what is not yet written waits for the component's next stream."""
        if self._component is not None:
            self.transport.unregisterProducer()
        self._leave()
        who = self._stream.domain or "an unknown component"
        self._log.info("stream of {who} ended: {reason}", who=who, reason=closed.reason or "regular")
        self.transport.write(self._stream.data_to_send())
        self.transport.loseConnection()
        self._limit(CLOSE_TIMEOUT_S)

    def _leave(self) -> None:
        component, self._component = self._component, None
        self._outbox = None
        if component is not None:
            component.detach()
