"""CPU time and memory of whole trees of processes, from Linux."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_SCHED = 2
"""CPUCLOCK_SCHED: the scheduler's count for all threads, in nanoseconds."""


class Processes:
    """Some processes with all their descendants."""

    def __init__(self, roots: Sequence[int]) -> None:
        self._roots = roots

    def pids(self) -> list[int]:
        """The present ones."""
        found: list[int] = []
        for root in self._roots:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(root)
                found += [root, *(child.pid for child in process.children(recursive=True))]
        return found

    def cpu_s(self) -> float:
        """User and system time of them all, with their ended threads."""
        return sum(map(_cpu_s, self.pids()))

    def clock(self) -> Callable[[], float]:
        """Reads the CPU time so far of the present processes, in µs and not ms: it looks for no others."""
        pids = self.pids()
        return lambda: sum(map(_cpu_s, pids))

    def memory_kib(self) -> int:
        """Memory of them all; what they share is counted once (PSS)."""
        return sum(map(_pss_kib, self.pids()))


def _cpu_s(pid: int) -> float:
    # the process's own CPU clock (MAKE_PROCESS_CPUCLOCK of the kernel): /proc/PID/stat has hundredths only
    try:
        return time.clock_gettime((~pid << 3) | _SCHED)
    except OSError:
        return 0.0  # it ended just now


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
