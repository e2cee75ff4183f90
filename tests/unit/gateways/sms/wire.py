"""TCP in memory, on a clock that is moved by hand: connections that can be refused, cut and held up."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

_ADDRESS = IPv4Address("TCP", "127.0.0.1", 2775)


class End:
    """One end of a connection: the transport of its protocol."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.protocol: Any = None
        self.peer: End
        self.deaf = False
        """What is sent to this end is lost, as it is when a cable is pulled."""
        self.producer: Any = None
        self.paused = False
        self._waiting: list[bytes] = []
        self._open = True

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        if self._open:
            self._clock.callLater(0, self.peer.arrive, data)

    def arrive(self, data: bytes) -> None:
        if self.paused:
            self._waiting.append(data)
        elif self._open and not self.deaf:
            self.protocol.dataReceived(data)

    def loseConnection(self) -> None:
        if self._open:
            assert self.producer is None, "Twisted does not close while a producer is registered"
            self._clock.callLater(0, self.lost, ConnectionDone())
            self._clock.callLater(0, self.peer.lost, ConnectionDone())

    def abortConnection(self) -> None:
        self._clock.callLater(0, self.lost, ConnectionLost())
        self._clock.callLater(0, self.peer.lost, ConnectionLost())

    def lost(self, reason: Exception) -> None:
        if self._open:
            self._open = False
            self.protocol.connectionLost(Failure(reason))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self.arrive(data)


class Wire:
    """A network with one listener: an endpoint for both sides."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._factory: Any = None
        self.connections: list[End] = []
        """The clients' ends, oldest first."""

    def listen(self, factory: Any) -> Deferred[Wire]:
        """As a server endpoint."""
        self._factory = factory
        return succeed(self)

    def stopListening(self) -> Deferred[None]:
        """As a port."""
        self._factory = None
        return succeed(None)

    def connect(self, factory: Any) -> Deferred[Any]:
        """As a client endpoint."""
        if self._factory is None:
            return fail(ConnectionRefusedError())
        client, server = End(self._clock), End(self._clock)
        client.peer, server.peer = server, client
        client.protocol, server.protocol = factory.buildProtocol(_ADDRESS), self._factory.buildProtocol(_ADDRESS)
        self.connections.append(client)
        server.protocol.makeConnection(server)
        client.protocol.makeConnection(client)
        return succeed(client.protocol)

    def cut(self) -> None:
        """All connections are reset."""
        for end in self.connections:
            end.abortConnection()
