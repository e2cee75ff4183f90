"""Clients of a server in memory: their connections, and what they say and get."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from cluster.server.c2s.client_streams import ClientStreams
from cluster.server.components.component_stream import ComponentStreams
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.streams.initiating import InitiatingStream
from cluster.xmpp.streams.login import Login, StreamFailed
from tests.told import told

END = b"</stream:stream>"
SOCKET_BYTES = 65_536
"""One read of a socket, and what a transport writes before it asks its producer to pause; Twisted's values."""


class Wire(StringTransport):
    """The server's end of a connection; what the client has not read waits in it."""

    producer: Any

    def __init__(self) -> None:
        super().__init__(lenient=True)
        self.written = b""
        """What the client has not read."""
        self._is_full = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As TCP has it; there is nothing to delay here."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """As TCP has it; nobody vanishes here."""

    def write(self, data: bytes) -> None:
        self.written += data
        if self.producer and not self._is_full and len(self.written) > SOCKET_BYTES:
            self._is_full = True
            self.producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def take(self) -> bytes:
        """The client reads it."""
        data, self.written = self.written, b""
        if self._is_full:
            self._is_full = False
            if self.producer:
                self.producer.resumeProducing()
        return data


class Connection:
    """A client that is made of bytes."""

    def __init__(self, streams: ClientStreams | ComponentStreams) -> None:
        self.wire = Wire()
        self.output = b""
        """All that the client has read."""
        self.reading = True
        self.answers_end = True
        """It ends its side when the server has ended its own (RFC 6120 section 4.4)."""
        self.is_closed = False
        self.streams = streams
        self._unsent = b""
        self._protocol = streams.buildProtocol(None)
        self._protocol.makeConnection(self.wire)

    def send(self, data: str | bytes) -> None:
        """Queue bytes; `Network.settle` moves them."""
        self._unsent += data.encode() if isinstance(data, str) else data

    def read(self, data: bytes) -> None:
        """The server wrote this."""
        self.output += data

    def drop(self) -> None:
        """The connection is lost without a goodbye."""
        self.is_closed = True
        self._protocol.connectionLost(Failure(ConnectionLost()))

    def pump(self) -> bool:
        """Move one read and one write; whether there was anything to move."""
        if self.is_closed:
            return False
        moved = False
        if self._unsent and self.wire.producerState == "producing":
            data, self._unsent = self._unsent[:SOCKET_BYTES], self._unsent[SOCKET_BYTES:]
            self._protocol.dataReceived(data)
            moved = True
        if self.reading and (written := self.wire.take()):
            self.read(written)
            if self.answers_end and self.output.endswith(END):
                self.send(END)
            moved = True
        if self.wire.disconnected or (self.wire.disconnecting and not self.wire.written):
            self.is_closed = True
            self._protocol.connectionLost(Failure(ConnectionDone()))
            moved = True
        return moved


class Client(Connection):
    """A client that logs in, and collects the stanzas that it gets."""

    def __init__(self, streams: ClientStreams, login: Login, new_id: Callable[[], str]) -> None:
        super().__init__(streams)
        self.failed: StreamFailed | None = None
        self.stanzas: list[Element] = []
        self._stream = InitiatingStream(login, new_id)
        self.send(self._stream.data_to_send())

    @property
    def jid(self) -> Jid:
        """Its full JID, once it is bound."""
        assert self._stream.jid is not None, f"not bound: {self.failed}"
        return self._stream.jid

    def read(self, data: bytes) -> None:
        super().read(data)
        if self.failed is not None:
            return
        try:
            self._stream.receive_data(data)
            for event in self._stream.events():
                if isinstance(event, Slice):
                    self.stanzas.append(xml.parse(event.raw))
        except StreamFailed as failed:
            self.failed = failed
        self.send(self._stream.data_to_send())

    def close(self) -> None:
        """Say goodbye."""
        self._stream.close()
        self.send(self._stream.data_to_send())

    def take(self) -> list[str]:
        """What it got since it was last asked, each stanza as one line: see `told`."""
        stanzas, self.stanzas = self.stanzas, []
        return [told(stanza) for stanza in stanzas]


def child(stanza: Element, name: str, namespace: str = CLIENT) -> Element:
    """The one child of that name."""
    found = stanza.findall(f"{{{namespace}}}{name}")
    assert len(found) == 1, xml.serialize(stanza)
    return found[0]
