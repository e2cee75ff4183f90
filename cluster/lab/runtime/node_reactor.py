"""The reactor as one of several nodes of a process has it: what it begins there bears its name, and can end alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from weakref import WeakSet

from twisted.internet.posixbase import PosixReactorBase
from zope.interface import directlyProvides, providedBy

from cluster.base.clock import Reactor

T = TypeVar("T")


class _Current:
    """The node whose code runs now; empty: it concerns the whole process."""

    name = ""


_current = _Current()


def current_node() -> str:
    """The name of the node whose code runs now; empty in a process with one node, and for the whole process."""
    return _current.name


def name_events(reactor: Any) -> None:
    """Let this reactor name the node of each event of a connection, for `current_node`."""
    handle = reactor._doReadOrWrite

    def named(selectable: Any, *event: Any) -> None:
        _current.name = getattr(_reactor_of(selectable), "node", "")
        try:
            handle(selectable, *event)
        finally:
            _current.name = ""

    reactor._doReadOrWrite = named


def _reactor_of(selectable: Any) -> Any:
    """None for what belongs to the reactor itself."""
    return getattr(selectable, "reactor", None)


class NodeReactor:
    """Connections, ports and timers of one node, at the reactor of its process."""

    def __init__(self, reactor: Reactor, node: str) -> None:
        """`reactor` has been given to `name_events`."""
        self.node = node
        self._reactor: Any = reactor
        self.is_over = False
        """It has crashed."""
        self._at_turn_end = getattr(reactor, "at_turn_end", None) or partial(reactor.callLater, 0)
        self._read = WeakSet[Any]()  # whatever it has read from; the reactor does not know what rests just now
        self.seconds = reactor.seconds
        directlyProvides(self, providedBy(reactor))

    listenTCP = PosixReactorBase.listenTCP
    listenSSL = PosixReactorBase.listenSSL
    listenUNIX = PosixReactorBase.listenUNIX
    listenUDP = PosixReactorBase.listenUDP
    connectTCP = PosixReactorBase.connectTCP
    connectSSL = PosixReactorBase.connectSSL
    connectUNIX = PosixReactorBase.connectUNIX

    def __getattr__(self, name: str) -> Any:
        """All that is the same for every node: threads, names, the state of the reactor."""
        return getattr(self._reactor, name)

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kwargs: object) -> Any:
        """IReactorTime."""
        return self._reactor.callLater(delay, self._call, callable, *args, **kwargs)

    def callFromThread(self, callable: Callable[..., object], *args: object, **kwargs: object) -> None:
        """IReactorFromThreads."""
        self._reactor.callFromThread(self._call, callable, *args, **kwargs)

    def at_turn_end(self, work: Callable[[], None]) -> None:
        """As WriteThroughReactor.at_turn_end."""
        self._at_turn_end(partial(self._call, work))

    def addReader(self, reader: Any) -> None:
        """IReactorFDSet."""
        if not self.is_over:
            self._read.add(reader)
            self._reactor.addReader(reader)

    def addWriter(self, writer: Any) -> None:
        """IReactorFDSet."""
        if not self.is_over:
            self._reactor.addWriter(writer)

    def run(self, what: Callable[[], T]) -> T:
        """Call it now, as code of this node."""
        before, _current.name = _current.name, self.node
        try:
            return what()
        finally:
            _current.name = before

    def crash(self) -> None:
        """End the node as SIGKILL ends a process: its calls are dropped, and the system closes its connections."""
        self.is_over = True
        for call in self._reactor.getDelayedCalls():
            if call.func == self._call:
                call.cancel()
        connecting = [each for each in self._reactor.getWriters() if _reactor_of(each) is self]
        for each in {*self._read, *connecting}:
            if hasattr(each, "socket"):  # Twisted removes it from what is closed
                self._reactor.removeReader(each)
                self._reactor.removeWriter(each)
                each.socket.close()

    def _call(self, what: Callable[..., object], *args: object, **kwargs: object) -> None:
        if self.is_over:
            return
        before, _current.name = _current.name, self.node
        try:
            what(*args, **kwargs)
        finally:
            _current.name = before
