"""The clock of a process: it starts with the time of day, and then runs steadily."""

from __future__ import annotations

import time

from cluster.base.clock import Clock


def make_steady(reactor: Clock) -> None:
    """Give the reactor a clock that nobody can set; for entry points, before anything is scheduled.

    Twisted's own is `time.time`: when the wall clock jumps by ten minutes, they are over for every timer at once. The
    first reading is in seconds since the epoch, so that the ids of links, which are times, sort after those of earlier
    processes.
    """
    ahead_s = time.time() - time.monotonic()

    def seconds() -> float:
        return time.monotonic() + ahead_s

    reactor.seconds = seconds  # type: ignore[method-assign]
