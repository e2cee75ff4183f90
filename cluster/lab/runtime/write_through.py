"""The reactor of a lab's processes on Linux: Twisted's own, with fewer system calls for each write."""

from __future__ import annotations

import errno
from collections.abc import Callable
from select import EPOLLOUT
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.tcp import Server


class WriteThroughReactor(EPollReactor):
    """Writes at the end of each turn, and asks epoll only about what the system did not accept.

    Twisted asks first: for every write it tells epoll, polls, writes, and tells epoll again. It also enters a context
    of its old log system around every event, which nothing here reads.
    """

    def __init__(self) -> None:
        self._to_write: dict[Any, None] = {}  # a set that keeps its order
        self._at_end: list[Callable[[], None]] = []
        super().__init__()  # type: ignore[no-untyped-call]

    def at_turn_end(self, work: Callable[[], None]) -> None:
        """Call `work` when this turn's events are handled, before their output is written; it raises nothing."""
        self._at_end.append(work)

    def addWriter(self, writer: Any) -> None:
        """IReactorFDSet: it has something to write."""
        if writer.fileno() not in self._writes:
            self._to_write[writer] = None

    def removeWriter(self, writer: Any) -> None:
        """IReactorFDSet: it has nothing to write."""
        if writer in self._to_write:
            del self._to_write[writer]
        else:
            super().removeWriter(writer)  # type: ignore[no-untyped-call]

    def removeAll(self) -> Any:
        """IReactorFDSet: forget all of them."""
        waiting, self._to_write = self._to_write, {}
        others = super().removeAll()  # type: ignore[no-untyped-call]
        return [*others, *waiting.keys() - {*others}]

    def getWriters(self) -> Any:
        """IReactorFDSet: all that have something to write."""
        return [*super().getWriters(), *self._to_write]  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """IReactorCore: wakes the reactor, because a call during the writes at the end of a turn would not be
        noticed."""
        super().stop()
        self.wakeUp()

    def runUntilCurrent(self) -> None:
        """The end of a turn: due calls, then the output of these and of the turn's events."""
        super().runUntilCurrent()
        while self._at_end or self._to_write:
            works, self._at_end = self._at_end, []
            for work in works:
                work()
            for writer in [*self._to_write]:
                if writer in self._to_write and not _has_sent_all(writer):  # it was not closed in the meantime
                    self._doReadOrWrite(writer, writer.fileno(), EPOLLOUT)  # type: ignore[no-untyped-call]
                    if writer in self._to_write:
                        super().addWriter(writer)  # type: ignore[no-untyped-call]
                self._to_write.pop(writer, None)

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events and handle them."""
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, len(self._selectables))
        except OSError as error:
            if error.errno == errno.EINTR:
                return
            raise
        for descriptor, event in events:
            selectable = self._selectables.get(descriptor)
            if selectable is not None:
                self._doReadOrWrite(selectable, descriptor, event)  # type: ignore[no-untyped-call]

    doIteration = doPoll


def _has_sent_all(writer: Any) -> bool:
    """Send the one piece that an accepted connection has to write, which is what most have, without Twisted's buffers
    (they take half as long as the system). Else False: whatever is left, and all errors, are Twisted's."""
    if type(writer) is not Server or writer.dataBuffer or writer.producerPaused or writer.disconnecting:
        return False
    pieces = writer._tempDataBuffer
    if len(pieces) != 1 or writer._writeDisconnecting:
        return False
    try:
        sent = writer.socket.send(pieces[0])
    except OSError:
        return False
    writer._tempDataLen -= sent
    if writer._tempDataLen:
        pieces[0] = pieces[0][sent:]
        return False
    pieces.clear()
    return True
