"""TCP connections in memory, on a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.python.failure import Failure

from cluster.base.clock import Clock

SOCKET_BYTES = 65_536
"""What a transport takes before it asks its producer to pause, and one read of a socket; Twisted's values."""


class End:
    """One end of a connection, as Twisted's transports are, as far as streams need it."""

    other: End
    protocol: Any

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._producer: Any = None
        self._unread = b""
        """What the other end wrote."""
        self._is_reading = True
        self._is_due = False
        self._has_end = False
        self.is_over = False
        self.disconnecting = False
        self._is_full = False

    def write(self, data: bytes) -> None:
        if self.is_over or self.disconnecting:
            return
        self.other._arrive(data)
        if self._producer and not self._is_full and len(self.other._unread) > SOCKET_BYTES:
            self._is_full = True
            self._producer.pauseProducing()

    def loseConnection(self) -> None:
        if not self.disconnecting:
            self.disconnecting = True
            self._clock.callLater(0, self._close)

    def abortConnection(self) -> None:
        self.break_off()

    def break_off(self) -> None:
        """Without a goodbye, on both ends; what was on its way is lost."""
        self._unread = self.other._unread = b""
        for end in (self, self.other):
            self._clock.callLater(0, end._lose, Failure(ConnectionLost()))

    def pauseProducing(self) -> None:
        self._is_reading = False

    def resumeProducing(self) -> None:
        self._is_reading = True
        self._read_later()

    def registerProducer(self, producer: object, streaming: bool) -> None:
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    def setTcpNoDelay(self, enabled: bool) -> None:
        """There is nothing to delay here."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nobody vanishes here."""

    def _arrive(self, data: bytes) -> None:
        self._unread += data
        self._read_later()

    def _read_later(self) -> None:
        if not self._is_due and not self.is_over:
            self._is_due = True
            self._clock.callLater(0, self._read)

    def _read(self) -> None:
        self._is_due = False
        if not self._is_reading or self.is_over:
            return
        data, self._unread = self._unread[:SOCKET_BYTES], self._unread[SOCKET_BYTES:]
        if data:
            self.protocol.dataReceived(data)
        self.other._on_read()
        if self._unread:
            self._read_later()
        elif self._has_end:
            self._lose(Failure(ConnectionDone()))

    def _on_read(self) -> None:
        if self._is_full and len(self._unread_there) <= SOCKET_BYTES:
            self._is_full = False
            if self._producer:
                self._producer.resumeProducing()

    @property
    def _unread_there(self) -> bytes:
        return self.other._unread

    def _close(self) -> None:
        self.other._has_end = True
        self.other._read_later()
        self._lose(Failure(ConnectionDone()))

    def _lose(self, reason: Failure) -> None:
        if not self.is_over:
            self.is_over = True
            self.protocol.connectionLost(reason)


class Wires:
    """All listeners and connections of one network."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._factories: dict[object, Any] = {}
        self.ends: list[tuple[object, End, End]] = []
        """Of each connection: where to, the end that dialed, the other one."""

    def listen(self, address: object, factory: Any) -> Callable[[], None]:
        """Take connections; returns what stops that."""
        self._factories[address] = factory
        return lambda: self._factories.pop(address, None) and None

    def dial(self, address: object, protocol: Any) -> Deferred[Any]:
        """Connect to the listener of an address; fails where nobody listens."""
        factory = self._factories.get(address)
        other = factory.buildProtocol(None) if factory is not None else None
        if other is None:
            return fail(ConnectionRefusedError())
        here, there = End(self._clock), End(self._clock)
        here.other, there.other = there, here
        here.protocol, there.protocol = protocol, other
        self.ends.append((address, here, there))
        for end, of in ((there, other), (here, protocol)):
            of.makeConnection(end)
        return succeed(protocol)
