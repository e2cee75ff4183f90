"""Listening ports, and connectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionRefusedError, NotConnectingError, TimeoutError, UserError
from twisted.internet.interfaces import IConnector, IListeningPort
from twisted.python.failure import Failure
from zope.interface import implementer

from cluster.virtual.timeline import KERNEL, VirtualCall
from cluster.virtual.transport import Transport
from cluster.virtual.wire import Path

if TYPE_CHECKING:
    from cluster.virtual.host import Host


@implementer(IListeningPort)
class Port:
    """A listening TCP port."""

    def __init__(self, host: Host, number: int, factory: Any) -> None:
        self.host = host
        self.address = host.address, number
        self.factory = factory

    def startListening(self) -> None:
        """Start to accept connections. Raises CannotListenError."""
        self.host.listen(self, yes=True)
        self.factory.doStart()

    def stopListening(self) -> Deferred[None]:
        """Stop accepting connections; open ones stay open."""
        self.host.listen(self, yes=False)
        self.factory.doStop()
        return succeed(None)

    def getHost(self) -> IPv4Address:
        """The address it listens on."""
        return IPv4Address("TCP", *self.address)


@implementer(IConnector)
class Connector:
    """Connects to an address, and again whenever its factory calls `connect`."""

    __slots__ = ("_host", "_is_started", "_state", "_timeout", "_timer", "_to", "_transport", "factory")

    def __init__(self, host: Host, to: IPv4Address, factory: Any, timeout: float | None) -> None:
        self.factory = factory
        self._host = host
        self._to = to
        self._timeout = timeout
        self._timer: VirtualCall | None = None
        self._transport: Transport | None = None
        self._state = "disconnected"
        self._is_started = False

    def connect(self) -> None:
        """Start to connect. Raises RuntimeError while it connects or is connected."""
        if self._state != "disconnected":
            raise RuntimeError("can't connect in this state")
        self._state = "connecting"
        if not self._is_started:
            self._is_started = True
            self.factory.doStart()
        host, network = self._host, self._host.network
        here = IPv4Address("TCP", host.address, host.free_port())
        near = host.transport(here, self._to, is_client=True)
        self._transport, near.on_lost = near, self._on_lost
        if self._timeout is not None:
            self._timer = host.callLater(self._timeout, self._fail, near, TimeoutError)
        self.factory.startedConnecting(self)
        path = network.path(here.host, self._to.host)
        if path.is_cut:
            path.when_mended(lambda: self._knock(near, path))
        else:
            self._knock(near, path)

    def _knock(self, near: Transport, path: Path) -> None:
        timeline = self._host.network.timeline
        timeline.call(path.arrival_ns(0) - timeline.now_ns, KERNEL, self._knocked, near)

    def _knocked(self, near: Transport) -> None:
        """The SYN arrives. The operating system answers it even where the process is paused."""
        port = self._host.network.ports.get((self._to.host, self._to.port))
        if port is None:
            back = self._host.network.path(self._to.host, self._host.address)
            self._host.network.timeline.call(back.latency_ns, self._host.life, self._fail, near, ConnectionRefusedError)
        else:
            port.host.later(self._accept, near, port)

    def _accept(self, near: Transport, port: Port) -> None:
        if near.disconnected:
            return
        if (processor := port.host.life.processor) is not None:
            processor.tally.accepts += 1
        protocol = port.factory.buildProtocol(near.getHost())
        far = port.host.transport(self._to, near.getHost(), is_client=False)
        near.peer, far.peer = far, near
        if protocol is None:
            port.host.forget(far)
            far.arrive_later(0, self._host.life, self._fail, near, ConnectionRefusedError)
            return
        far.arrive_later(0, self._host.life, self._accepted, near)
        far.open(protocol)

    def _accepted(self, near: Transport) -> None:
        if near is not self._transport or self._state != "connecting":
            near.reset()
            return
        self._state = "connected"
        self._end_timer()
        protocol = self.factory.buildProtocol(self._to)
        if protocol is None:
            near.abandon()
            self._state = "disconnected"
        else:
            near.open(protocol)

    def _fail(self, near: Transport, reason: type[Exception]) -> None:
        if near is not self._transport or self._state != "connecting":
            return
        self._state, self._transport = "disconnected", None
        near.abandon()
        self._end_timer()
        self.factory.clientConnectionFailed(self, Failure(reason()))
        self._stop_factory()

    def _on_lost(self, reason: Failure) -> None:
        self._state, self._transport = "disconnected", None
        self.factory.clientConnectionLost(self, reason)
        self._stop_factory()

    def _stop_factory(self) -> None:
        """Stop the factory unless it connects again."""
        if self._state == "disconnected":
            self._is_started = False
            self.factory.doStop()

    def _end_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def stopConnecting(self) -> None:
        """Stop connecting. Raises NotConnectingError unless it connects."""
        if self._state != "connecting" or self._transport is None:
            raise NotConnectingError("we're not trying to connect")
        self._fail(self._transport, UserError)

    def disconnect(self) -> None:
        """Stop connecting, or close the connection."""
        if self._state == "connecting":
            self.stopConnecting()
        elif self._transport is not None:
            self._transport.loseConnection()

    def getDestination(self) -> IPv4Address:
        """The address it connects to."""
        return self._to
