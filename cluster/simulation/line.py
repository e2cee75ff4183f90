"""A plain client of a measurement in virtual time: bytes out, bytes in, as those of `make bench`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import ClientFactory, Protocol
from zope.interface import implementer

from cluster.simulation.node import CERTIFICATE
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import TlsWanted
from cluster.xmpp.streams.initiating import InitiatingStream
from cluster.xmpp.streams.login import Bound, Login


@implementer(IHandshakeListener)
class Line(Protocol):
    """A client that is logged in sends and gets bytes."""

    transport: Any

    def __init__(self, login: Login, new_id: Callable[[], str], greeting: bytes) -> None:
        """`greeting`: is sent after the login."""
        self.on_data: Callable[[bytes], None] = lambda data: None
        self.is_open = False
        self._greeting = greeting
        self._stream = InitiatingStream(login, new_id)

    def connectionMade(self) -> None:
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        if self.is_open:
            self.on_data(data)
            return
        self._stream.receive_data(data)
        for event in self._stream.events():
            if isinstance(event, TlsWanted):
                self._flush()
                self.transport.startTLS(None)
            elif isinstance(event, Bound):
                self.is_open = True
                self.transport.write(self._greeting)
        self._flush()

    def handshakeCompleted(self) -> None:
        exported = self.transport.getHandle().export_keying_material(b"EXPORTER-Channel-Binding", 32)
        self._stream.tls_started({sasl.EXPORTER: exported, sasl.END_POINT: CERTIFICATE})
        self._flush()

    def _flush(self) -> None:
        if data := self._stream.data_to_send():
            self.transport.write(data)


class Single(ClientFactory):
    """Makes one connection."""

    noisy = False

    def __init__(self, line: Line) -> None:
        self._line = line

    def buildProtocol(self, addr: object) -> Line:
        return self._line
