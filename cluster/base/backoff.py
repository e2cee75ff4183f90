"""The pause before the next attempt after failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Pauses that double with each failure in a row, up to the longest."""

    first_s: float
    longest_s: float
    jitter: Callable[[], float] = lambda: 1.0
    """Random in [0, 1): a pause lasts between half and all of its length, so that clients which failed together spread
    out."""

    def pause_s(self, failures: int) -> float:
        """The pause in seconds after one more failure; `failures`: the number of failures in a row before it."""
        return min(self.longest_s, self.first_s * 2.0 ** min(failures, 30)) * (1 + self.jitter()) / 2
