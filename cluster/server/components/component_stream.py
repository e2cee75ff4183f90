"""Component streams over TCP: the Twisted side of `AcceptingStream`. XEP-0114 has no TLS."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from cluster.server.components.component import Component, ComponentOutbox
from cluster.server.config import Ports
from cluster.server.ingress import Ingress
from cluster.streams.acknowledging import acknowledge
from cluster.streams.connection import StreamConnection
from cluster.streams.peer_clock import PeerClock
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.component import AcceptingStream, Acknowledged, Joined
from cluster.xmpp.streams.events import Closed, Misaddressed

HANDSHAKE_TIMEOUT_S = 10.0
"""Time limit from the connection to the handshake."""
MAX_UNSETTLED = 64
"""Batches of a component's stanzas that may be unsettled before the server stops reading from it."""


class ComponentStreams(Factory):
    """Creates a ComponentStream for each connection, and can end them all."""

    noisy = False

    def __init__(self, domain: str, components: Mapping[str, Component], ingress: Ingress, ports: Ports) -> None:
        self.streams: dict[ComponentStream, None] = {}
        self.components = components
        self.ingress = ingress
        self.clock = ports.clock
        self.peer_clock = PeerClock(ports.clock)
        self.turn = ports.turn
        self._domain = domain
        self._new_id = ports.new_id

    def buildProtocol(self, addr: object) -> ComponentStream:
        """Twisted: a new connection."""
        secrets = {component.domain: component.secret for component in self.components.values()}
        return ComponentStream(self, AcceptingStream(self._domain, secrets, self._new_id))

    def shut_down(self) -> None:
        """End every stream: `system-shutdown` (RFC 6120 section 4.9.3.20)."""
        for stream in [*self.streams]:
            stream.fail(StreamError(StreamCondition.SYSTEM_SHUTDOWN))
            stream.hang_up()  # nobody waits for the answers of the component any more
        for component in self.components.values():
            component.stop()


class ComponentStream(StreamConnection):
    """One component's connection."""

    first_timeout_s = HANDSHAKE_TIMEOUT_S
    max_unsettled = MAX_UNSETTLED
    _stream: AcceptingStream

    def __init__(self, shared: ComponentStreams, stream: AcceptingStream) -> None:
        super().__init__(stream, shared.clock, shared.peer_clock, shared.streams)
        self._shared = shared
        self._component: Component | None = None
        self._joined: ComponentOutbox | None = None

    # --- the connection

    @property
    def _outbox(self) -> ComponentOutbox | None:
        return self._joined

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Called when the connection is gone, with or without a goodbye."""
        self._connections.pop(self, None)
        self._drain_rest()
        self._limit(None)
        self._leave()

    # --- events of the stream

    def _on_event(self, event: Stanza | Misaddressed | Joined | Acknowledged | Closed) -> None:
        match event:
            case Stanza():
                settled = self._shared.ingress.from_component(event)
                acknowledge(self._stream, settled, self._unsettled, self._write_output)
            case Misaddressed():
                self._answer(event)
            case Joined():
                self._join()
            case Acknowledged():
                if self._component is not None:
                    self._component.done(event.count)
            case Closed():
                self._on_closed(event)

    def _answer(self, event: Misaddressed) -> None:
        self._stream.received(None)
        if self._component is not None and event.stanza.may_be_answered_with_error:
            self._component.reply(event.stanza.error(event.error))

    def _write_output(self) -> None:
        if data := self._stream.data_to_send():
            self.transport.write(data)

    def _join(self) -> None:
        """The secret is right. A second connection is refused only now, so that nobody else learns of the first."""
        component = self._shared.components[self._stream.domain]
        if component.is_connected:
            self.fail(StreamError(StreamCondition.CONFLICT, f"{component.domain} is connected already"))
            return
        self._limit(None)
        self._component = component
        self._joined = ComponentOutbox(self._shared.turn, self.transport.write, self.fail, self._stream, component.done)
        self._flows()
        self._stream.accept()
        component.attach(self._joined)  # stanzas for it are written in a later turn, after the answer
        self._log.info("component {domain} is connected", domain=component.domain)

    def _on_closed(self, closed: Closed) -> None:
        """Our end of the stream is closed; unwritten stanzas wait for the component's next stream."""
        self._leave()
        who = self._stream.domain or "an unknown component"
        self._log.info("stream of {who} ended: {reason}", who=who, reason=closed.reason or "regular")
        self._await_end()

    def _leave(self) -> None:
        component, self._component = self._component, None
        self._joined = None
        if component is not None:
            component.detach()
