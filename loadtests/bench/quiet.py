"""Whether a machine had other work to do during a measurement."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import TypeVar

import psutil

T = TypeVar("T")

ENOUGH = 0.03
"""Other work may take this share of the machine."""
TRIES = 4
PATIENCE_S = 1.0
"""To wait for an idle moment before a try."""
LOOK_S = 0.05
CORES = psutil.cpu_count() or 1


def machine_s() -> float:
    """CPU time of all processes so far, in seconds."""
    times = psutil.cpu_times()
    return time.monotonic() * CORES - times.idle - getattr(times, "iowait", 0.0)


class Quiet:
    """Repeats a measurement during which the machine had other work to do."""

    def __init__(
        self,
        ours_s: Callable[[], float],
        tell: Callable[[str], None],
        machine_s: Callable[[], float] = machine_s,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ours_s`: CPU time so far of all processes that belong to the measurement, in seconds."""
        self._ours_s = ours_s
        self._tell = tell
        self._machine_s = machine_s
        self._now_s = now_s

    def measured(self, what: str, measure: Callable[[], T]) -> T:
        """The first undisturbed result of TRIES; if there is none, the least disturbed one, and it is told."""
        tries: list[tuple[float, T]] = []
        while len(tries) < TRIES:
            self._wait()
            others = self._others()
            result = measure()
            tries.append((others(), result))
            if tries[-1][0] <= ENOUGH:
                return result
        share, result = min(tries, key=lambda each: each[0])
        self._tell(f"  {what}: other work took {share:.0%} of the machine")
        return result

    def _wait(self) -> None:
        until_s = self._now_s() + PATIENCE_S
        while self._now_s() < until_s:
            others = self._others()
            select.select([], [], [], LOOK_S)
            if others() <= ENOUGH:
                return

    def _others(self) -> Callable[[], float]:
        """The share of the machine that other work takes from now on."""
        began_s, other_s = self._now_s(), self._machine_s() - self._ours_s()

        def share() -> float:
            return (self._machine_s() - self._ours_s() - other_s) / (self._now_s() - began_s) / CORES

        return share
