"""Work that is gathered and done once at the end of a reactor turn: one write per session, whatever it was sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.base import DelayedCall


class Clock(Protocol):
    """What the server needs of a reactor's time; `twisted.internet.task.Clock` is one."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> DelayedCall: ...


class Turn:
    """Runs each callable that was added in this turn of the reactor, once, when the turn is over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[Callable[[], None]] = []

    def add(self, flush: Callable[[], None]) -> None:
        """`flush` is called in the next turn; the caller adds it once."""
        if not self._waiting:
            self._clock.callLater(0, self._run)
        self._waiting.append(flush)

    def _run(self) -> None:
        waiting, self._waiting = self._waiting, []
        for flush in waiting:
            flush()
