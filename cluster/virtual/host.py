"""A process at an address: the reactor of whatever runs there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from twisted.internet.address import IPv4Address
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from zope.interface import implementer

from cluster.virtual.connect import Connector, Port
from cluster.virtual.timeline import NS, Life, State, VirtualCall, in_ns
from cluster.virtual.transport import Transport

if TYPE_CHECKING:
    from cluster.virtual.network import Network

FIRST_PORT = 49_152
"""Of those that nobody chose (RFC 6335 section 6)."""
LAST_PORT = 65_535


@implementer(IReactorTime, IReactorTCP)
class Host:
    """A reactor for one process. It has no threads: what asks for one is told."""

    def __init__(self, network: Network, address: str) -> None:
        self.network = network
        self._timeline = network.timeline
        self.address = address
        self.life = Life()
        self.running = True
        self._transports: dict[Transport, None] = {}
        self._listening: dict[Port, None] = {}
        self._last_port = FIRST_PORT - 1

    # --- IReactorTime

    def seconds(self) -> float:
        """The time, the same at all hosts."""
        return self._timeline.now_ns / NS

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kwargs: object) -> Any:
        """Call it so much later, in a turn of its own. Raises ValueError for what is no delay."""
        call = VirtualCall(self._timeline, self.life, callable, args, kwargs or None)
        self._timeline.put(call, in_ns(delay))
        return call

    def later(self, what: Callable[..., object], *args: object) -> VirtualCall:
        """Call it in a turn of its own, now."""
        return self.network.timeline.call(0, self.life, what, *args)

    def getDelayedCalls(self) -> list[VirtualCall]:
        """What is due in this process."""
        return [call for call in self.network.timeline.pending() if call.life is self.life]

    # --- IReactorTCP

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float | None = 30, bindAddress: object = None
    ) -> Connector:
        """Connect to a port of another host."""
        connector = Connector(self, IPv4Address("TCP", host, port), factory, timeout)
        connector.connect()
        return connector

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Port:
        """Take connections at this address; port 0 is any that is free. Raises CannotListenError."""
        listening = Port(self, port or self.free_port(), factory)
        listening.startListening()
        return listening

    def callFromThread(self, callable: Callable[..., object], *args: object) -> NoReturn:
        """There are no threads. Raises RuntimeError."""
        raise RuntimeError("there are no threads in virtual time")

    def getThreadPool(self) -> NoReturn:
        """There are no threads. Raises RuntimeError."""
        raise RuntimeError("there are no threads in virtual time")

    callInThread = callFromThread

    # --- its life

    @property
    def connections(self) -> int:
        """Of this process, open ones."""
        return len(self._transports)

    def crash(self) -> None:
        """The process ends as by SIGKILL: nothing happens in it any more, its connections are reset."""
        self.life.state, self.running = State.OVER, False
        self.life.held.clear()
        for port in self._listening:
            del self.network.ports[port.address]
        self._listening.clear()
        for transport in [*self._transports]:
            transport.vanish()
        self._transports.clear()

    def pause(self) -> None:
        """Nothing happens in it until `resume`, as by SIGSTOP; its connections stay."""
        if self.life.state is State.RUNS:
            self.life.state = State.PAUSED

    def resume(self) -> None:
        """What has become due meanwhile happens now."""
        if self.life.state is State.PAUSED:
            self.life.state = State.RUNS
            self.network.timeline.release(self.life)

    # --- for connections

    def free_port(self) -> int:
        """One that nobody listens on here; connections may share it, as they go elsewhere."""
        while True:
            self._last_port = self._last_port + 1 if self._last_port < LAST_PORT else FIRST_PORT
            if (self.address, self._last_port) not in self.network.ports:
                return self._last_port

    def transport(self, here: IPv4Address, there: IPv4Address, *, is_client: bool) -> Transport:
        """One end of a connection."""
        transport = Transport(self, self.network.path(here.host, there.host), here, there, is_client=is_client)
        self._transports[transport] = None
        return transport

    def forget(self, transport: Transport) -> None:
        """This connection is over."""
        self._transports.pop(transport, None)

    def listen(self, port: Port, *, yes: bool) -> None:
        """This port is listened on, or is not any more. Raises CannotListenError where another one is."""
        if yes and port.address in self.network.ports:
            raise CannotListenError(self.address, port.address[1], "the address is in use")  # type: ignore[no-untyped-call]
        if yes:
            self.network.ports[port.address] = port
            self._listening[port] = None
        elif port in self._listening:
            del self._listening[port], self.network.ports[port.address]
