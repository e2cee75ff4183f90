"""Components in memory: one that is made of bytes, and the far end of a gateway's connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.python.failure import Failure

from cluster.server.components.component_stream import ComponentStreams
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.component import ConnectingStream, Joined
from cluster.xmpp.streams.events import Closed
from tests.client import SOCKET_BYTES, Connection, Wire
from tests.told import told


class ComponentPeer(Connection):
    """A component that joins, and collects what it gets."""

    def __init__(self, streams: ComponentStreams, domain: str, secret: str, acknowledges: bool = True) -> None:
        """`acknowledges`: by stream management; without it, it is one of XEP-0114 and nothing else."""
        super().__init__(streams)
        self.until: Deferred[None] | None = None
        """Nothing is handled before that."""
        self.is_joined = False
        self.closed: str | None = None
        """Why the stream ended."""
        self.stanzas: list[Stanza] = []
        self._stream = ConnectingStream(domain, secret)
        header = self._stream.data_to_send()
        self.send(header if acknowledges else header.replace(b" version='1.0' xmlns", b" xmlns"))

    def read(self, data: bytes) -> None:
        super().read(data)
        self._stream.receive_data(data)
        for event in self._stream.events():
            match event:
                case Stanza():
                    self.stanzas.append(event)
                    if self._stream.received(self.until) and self.until is not None:
                        self.until.addCallback(self._handled, self.until)
                case Joined():
                    self.is_joined = True
                case Closed():
                    self.closed = event.reason
        self.send(self._stream.data_to_send())

    def _handled(self, result: None, until: Deferred[None]) -> None:
        self._stream.settled(until)
        self.send(self._stream.data_to_send())

    def close(self) -> None:
        """Say goodbye."""
        self._stream.close()
        self.send(self._stream.data_to_send())

    def take(self) -> list[str]:
        """What it got since it was last asked: see `told`."""
        stanzas, self.stanzas = self.stanzas, []
        return [f"{told(stanza.tree)} -> {stanza.to}" for stanza in stanzas]


class Cable(Connection):
    """A connection whose near end is a Twisted protocol too."""

    def __init__(self, streams: ComponentStreams, near: Any) -> None:
        super().__init__(streams)
        self.near, self.near_wire = near, Wire()
        near.makeConnection(self.near_wire)

    def read(self, data: bytes) -> None:
        super().read(data)
        self.near.dataReceived(data)

    def drop(self) -> None:
        super().drop()
        self.near.connectionLost(Failure(ConnectionLost()))

    def pump(self) -> bool:
        if self.is_closed:
            return False
        near = self.near_wire
        self.reading = near.producerState == "producing"
        moved = False
        if self.wire.producerState == "producing" and len(self._unsent) < SOCKET_BYTES and (data := near.take()):
            self.send(data)
            moved = True
        if super().pump():
            moved = True
        is_near_done = near.disconnecting and not near.written and not self._unsent
        if not self.is_closed and (is_near_done or near.disconnected):
            self.is_closed = True
            self._protocol.connectionLost(Failure(ConnectionDone()))
        if self.is_closed:
            near.disconnecting = True
            self.near.connectionLost(Failure(ConnectionDone()))
        return moved


class MemoryEndpoint:
    """Where a gateway finds its server; as IStreamClientEndpoint."""

    def __init__(self, network: Any, domain: str) -> None:
        self.is_down = False
        self.attempts = 0
        self.cable: Cable
        """The newest connection."""
        self._network = network
        self._domain = domain

    def connect(self, factory: Any) -> Deferred[Any]:
        self.attempts += 1
        if self.is_down:
            return fail(ConnectionRefusedError())
        protocol = factory.buildProtocol(None)
        self.cable = Cable(self._network.servers[self._domain].components, protocol)
        self._network.add(self.cable)
        return succeed(protocol)
