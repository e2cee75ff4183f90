"""A simulated process at an address, which is the reactor of the code that runs in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from twisted.internet.address import IPv4Address
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorPluggableNameResolver, IReactorTCP, IReactorTime
from zope.interface import implementer

from cluster.virtual.connect import Connector, Port
from cluster.virtual.names import Names
from cluster.virtual.timeline import NS, Life, State, VirtualCall, in_ns
from cluster.virtual.transport import Transport

if TYPE_CHECKING:
    from cluster.virtual.network import Network

FIRST_PORT = 49_152
"""The first ephemeral port (RFC 6335 section 6)."""
LAST_PORT = 65_535
_NAMES = Names()


@implementer(IReactorTime, IReactorTCP, IReactorPluggableNameResolver)
class Host:
    """The reactor of one simulated process. It has no threads."""

    __slots__ = (
        "_last_port", "_listening", "_transports", "address", "life", "most_unsent_bytes", "network", "running",
        "timeline",
    )  # fmt: skip

    def __init__(self, network: Network, address: str, ahead_s: float = 0.0) -> None:
        """`ahead_s`: what its clock shows beyond the time of the network, though never less than 0. It is steady."""
        self.network = network
        self.timeline = network.timeline
        self.address = address
        self.life = Life(max(ahead_s, -self.timeline.now_ns / NS))
        self.running = True
        self.most_unsent_bytes = 0
        """The maximum of bytes that waited at this end of one connection."""
        self._transports: dict[Transport, None] = {}
        self._listening: dict[Port, None] = {}
        self._last_port = FIRST_PORT - 1

    # --- IReactorTime

    def seconds(self) -> float:
        """The current time by its clock."""
        return self.timeline.now_ns / NS + self.life.ahead_s

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kwargs: object) -> Any:
        """Call it after `delay` seconds. Raises ValueError for a delay that is negative or not finite."""
        call = VirtualCall(self.timeline, self.life, callable, args, kwargs or None)
        self.timeline.put(call, in_ns(delay))
        return call

    def at_turn_end(self, what: Callable[[], None]) -> None:
        """Call it at the end of the current turn of the reactor, right after the current call."""
        self.timeline.at_turn_end(self.life, what)

    def later(self, what: Callable[..., object], *args: object) -> VirtualCall:
        """Call it at the current time, after all calls that are already due."""
        return self.timeline.call(0, self.life, what, *args)

    def getDelayedCalls(self) -> list[VirtualCall]:
        """The pending calls of this process."""
        return [call for call in self.timeline.pending() if call.life is self.life]

    # --- IReactorTCP

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float | None = 30, bindAddress: object = None
    ) -> Connector:
        """Connect to a port of a host."""
        connector = Connector(self, IPv4Address("TCP", host, port), factory, timeout)
        connector.connect()
        return connector

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Port:
        """Listen on a port; port 0 takes a free one. Raises CannotListenError."""
        listening = Port(self, port or self.free_port(), factory)
        listening.startListening()
        return listening

    # --- IReactorPluggableNameResolver

    nameResolver = _NAMES

    def installNameResolver(self, resolver: object) -> NoReturn:
        """Names are addresses here. Raises RuntimeError."""
        raise RuntimeError("names of hosts are their addresses")

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
        """How many connections of this process are open."""
        return len(self._transports)

    def connections_to(self, port: int) -> int:
        """How many connections to a port of this process are open."""
        return sum(transport.getHost().port == port for transport in self._transports)

    def crash(self) -> None:
        """End the process as SIGKILL does: its calls are never made, and its connections are reset."""
        self.network.keep_suspended()
        self.life.state, self.running = State.OVER, False
        self.stop_listening()
        for transport in [*self._transports]:
            transport.vanish()

    def move(self, address: str) -> None:
        """Take another address. Connections of the former one are lost without a word: neither side is told."""
        for transport in [*self._transports]:
            transport.lose_network()
        self._transports.clear()
        self.address = address

    def stop_listening(self) -> None:
        """Refuse new connections on all ports."""
        for port in self._listening:
            del self.network.ports[port.address]
        self._listening.clear()

    def pause(self) -> None:
        """Stop the process as SIGSTOP does, until `resume`; its connections stay open."""
        if self.life.state is State.RUNS:
            self.life.state = State.PAUSED

    def resume(self) -> None:
        """Continue; calls that became due meanwhile are made now."""
        if self.life.state is State.PAUSED:
            self.life.state = State.RUNS
            self.timeline.release(self.life)

    # --- for connections

    def free_port(self) -> int:
        """The next ephemeral port that is not listened on."""
        while True:
            self._last_port = self._last_port + 1 if self._last_port < LAST_PORT else FIRST_PORT
            if (self.address, self._last_port) not in self.network.ports:
                return self._last_port

    def transport(self, here: IPv4Address, there: IPv4Address, *, is_client: bool) -> Transport:
        """Make one end of a connection."""
        transport = Transport(self, self.network.path(here.host, there.host), here, there, is_client=is_client)
        self._transports[transport] = None
        return transport

    def forget(self, transport: Transport) -> None:
        """Remove a closed connection."""
        self._transports.pop(transport, None)

    def listen(self, port: Port, *, yes: bool) -> None:
        """Add a listening port, or remove it. Raises CannotListenError where the address is in use."""
        if yes and port.address in self.network.ports:
            raise CannotListenError(self.address, port.address[1], "the address is in use")
        if yes:
            self.network.ports[port.address] = port
            self._listening[port] = None
        elif port in self._listening:
            del self._listening[port], self.network.ports[port.address]
