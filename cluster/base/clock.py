"""The part of the reactor that most of our code needs: time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.base import DelayedCall


class Clock(Protocol):
    """A part of IReactorTime; `twisted.internet.task.Clock` is one."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> DelayedCall: ...


class Reactor(Clock, Protocol):
    """A reactor that also opens connections and ports, and has threads."""

    running: bool

    def connectTCP(self, host: str, port: int, factory: Any) -> Any: ...
    def connectUNIX(self, address: str, factory: Any) -> Any: ...
    def listenTCP(self, port: int, factory: Any, backlog: int = ..., interface: str = ...) -> Any: ...
    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, backlog: int = ..., interface: str = ...
    ) -> Any: ...
    def callFromThread(self, callable: Callable[..., object], *args: object) -> None: ...
    def getThreadPool(self) -> Any: ...
    def stop(self) -> None: ...


def as_interface(reactor: Clock) -> Any:
    """The reactor for functions of Twisted, which ask for an interface of zope that mypy cannot see in a Protocol."""
    return reactor
