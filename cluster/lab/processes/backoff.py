"""How long to wait before a crashed process is started again."""

from __future__ import annotations

FIRST_S = 0.1
"""A crash that was an accident costs no more than this."""

LONGEST_S = 5.0
"""A process that never comes up is still tried often enough to notice that its cause was mended."""

HEALTHY_S = 10.0
"""A process that ran this long was healthy: its next crash counts as its first."""


class Backoff:
    """Doubles from crash to crash."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def after_run(self, ran_s: float) -> float:
        """The pause in seconds after a process died that had run for `ran_s`."""
        if ran_s >= HEALTHY_S:
            self._next_s = FIRST_S
        pause_s = self._next_s
        self._next_s = min(2 * pause_s, LONGEST_S)
        return pause_s
