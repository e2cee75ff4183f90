"""Two hosts, and what both ends of their connections saw."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IPushProducer
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from cluster.virtual.network import Network
from cluster.virtual.timeline import NS, Timeline
from cluster.virtual.wire import Wire

HERE, THERE, PORT = "10.0.0.1", "10.0.0.2", 5222


@implementer(IPushProducer, IHandshakeListener)
class End(Protocol):
    """Notes all that it hears."""

    def __init__(self) -> None:
        self.segments: list[bytes] = []
        self.lost: Any = None
        self.is_writable = True
        self.is_secure = False
        self.transport: Any = None

    @property
    def data(self) -> bytes:
        return b"".join(self.segments)

    def dataReceived(self, data: bytes) -> None:
        self.segments.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert self.lost is None, "it can be lost only once"
        self.lost = reason.type

    def pauseProducing(self) -> None:
        self.is_writable = False

    def resumeProducing(self) -> None:
        self.is_writable = True

    def stopProducing(self) -> None:
        self.is_writable = False

    def handshakeCompleted(self) -> None:
        self.is_secure = True


@implementer(IHalfCloseableProtocol)
class HalfEnd(End):
    """Goes on when one direction has ended."""

    ended = ""

    def readConnectionLost(self) -> None:
        self.ended += "r"

    def writeConnectionLost(self) -> None:
        self.ended += "w"


class Ends(ClientFactory):
    """A factory of both sides, with its ends and what failed."""

    noisy = False

    def __init__(self, kind: type[End] = End) -> None:
        self.ends: list[Any] = []
        self.failed: list[Any] = []
        self.is_started = False
        self._kind = kind

    def doStart(self) -> None:
        self.is_started = True

    def doStop(self) -> None:
        self.is_started = False

    def buildProtocol(self, addr: object) -> End:
        self.ends.append(self._kind())
        return self.ends[-1]

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        self.failed.append(reason.type)


class Pair:
    """A client's host and a server's, and connections between them."""

    def __init__(self, wire: Wire | None = None, kind: type[End] = End) -> None:
        self.timeline = Timeline()
        self.network = Network(self.timeline, "7", wire or Wire(latency_s=0.5))
        self.here, self.there = self.network.host(HERE), self.network.host(THERE)
        self.clients, self.servers = Ends(kind), Ends(kind)

    def listen(self) -> Any:
        return self.there.listenTCP(PORT, self.servers)

    def connect(self, **options: Any) -> Any:
        return self.here.connectTCP(THERE, PORT, self.clients, **options)

    def joined(self) -> tuple[Any, Any]:
        """Both ends of a new connection."""
        if not self.servers.is_started:
            self.listen()
        self.connect()
        self.run(self.timeline.seconds() + 3)
        return self.clients.ends[-1], self.servers.ends[-1]

    def run(self, until_s: float) -> None:
        self.timeline.run(int(until_s * NS))

    def settle(self) -> None:
        """An hour later."""
        self.run(self.timeline.seconds() + 3600)
