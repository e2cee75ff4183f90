"""Bounds how many failures of stanzas that are not followed are recorded: a flood of them must not push out all
else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # commands that only read plans start fast
    from cluster.base.clock import Clock

MAX_PER_PERIOD = 20
"""Failures of stanzas that are not followed, of one node: at this rate they fill the journal within hours."""
PERIOD_S = 1.0


class Sparing:
    """Admits MAX_PER_PERIOD in each PERIOD_S, and counts the others."""

    def __init__(self, clock: Clock, tell: Callable[[int], None]) -> None:
        """`tell(number)` is called at the end of a period in which more came than were let through."""
        self._clock = clock
        self._tell = tell
        self._ends_s = 0.0
        self._count = 0

    def take(self) -> bool:
        """Once more; False where that is too often."""
        if self._count > MAX_PER_PERIOD:
            self._count += 1
            return False
        now_s = self._clock.seconds()
        if now_s >= self._ends_s:
            self._ends_s = now_s + PERIOD_S
            self._count = 0
        self._count += 1
        if self._count <= MAX_PER_PERIOD:
            return True
        self._clock.callLater(self._ends_s - now_s, self._end)
        return False

    def _end(self) -> None:
        more, self._count = self._count - MAX_PER_PERIOD, 0
        self._ends_s = self._clock.seconds() + PERIOD_S
        self._tell(more)
