"""The part of the reactor that most of our code needs: time."""

from __future__ import annotations

import math
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


TOGETHER_S = 0.25
"""Between two moments at which what is not urgent is done together."""


def together_s(clock: Clock, delay_s: float) -> float:
    """The time to the first of these moments after so long: the timers of many servers in one process fire together,
    which costs it a fraction of as many wake-ups, and never so many that others wait for long."""
    now_s = clock.seconds()
    return math.ceil((now_s + delay_s) / TOGETHER_S) * TOGETHER_S - now_s


def as_interface(reactor: Clock) -> Any:
    """The reactor for functions of Twisted, which ask for an interface of zope that mypy cannot see in a Protocol."""
    return reactor
