"""The time of a reactor, as far as servers need it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.base import DelayedCall


class Clock(Protocol):
    """A part of IReactorTime; `twisted.internet.task.Clock` is one."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> DelayedCall: ...
