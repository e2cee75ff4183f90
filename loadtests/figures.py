# mypy: allow-untyped-calls
# (locust annotates only some of its functions)
"""What the users of this process measure: kept, and handed to locust in bulk, as a worker hands it to its master.

An event of locust for each of them would cost more than the message itself.
"""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

import gevent
from locust.env import Environment
from locust.stats import StatsEntry

from loadtests.seconds import Seconds

EVERY_S = 0.25
"""A page that is looked at shows figures no older than that."""
MAX_KEPT = 10_000
"""More are handed in at once."""

OF_USERS, OF_GENERATOR = "XMPP", "LOAD"
"""The types of the rows."""


_Measured = tuple[int, int, int]
"""When it began and when it ended, in nanoseconds of CLOCK_MONOTONIC; bytes."""


class Figures:
    """Of all users of one process."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._kept: defaultdict[tuple[str, str], list[_Measured]] = defaultdict(list)
        self._count = 0
        self.seconds: Seconds | None = None
        """Gets what users measured too."""

    def take(self, row: str, begin_ns: int, size_bytes: int = 0, type: str = OF_USERS) -> None:
        """It worked, and took from then until now. `begin_ns`: on CLOCK_MONOTONIC."""
        self._kept[row, type].append((begin_ns, time.monotonic_ns(), size_bytes))
        self._count += 1
        if self._count > MAX_KEPT:
            self.hand_in()

    def fail(self, row: str, error: Exception, begin_ns: int | None = None, size_bytes: int = 0) -> None:
        """It did not work; `begin_ns` where it took a time all the same."""
        took_ms = None if begin_ns is None else (time.monotonic_ns() - begin_ns) / 1e6
        if self.seconds is not None:
            self.seconds.fail(row, time.time() - (took_ms or 0.0) / 1000)
        self._fire(row, OF_USERS, took_ms, size_bytes, error)

    def hand_in(self) -> None:
        """Give locust what was kept."""
        kept, self._kept = self._kept, defaultdict(list)
        self._count = 0
        utc_s = time.time() - time.monotonic_ns() / 1e9
        for (row, type), measured in kept.items():
            if len(self._environment.events.request._handlers) > 1:  # a locust file wants to see each
                for begin_ns, end_ns, size_bytes in measured:
                    self._fire(row, type, (end_ns - begin_ns) / 1e6, size_bytes, None)
            else:
                self._add(row, type, measured, utc_s)
            if self.seconds is not None and type == OF_USERS:
                for begin_ns, end_ns, _ in measured:
                    self.seconds.add(row, utc_s + begin_ns / 1e9, (end_ns - begin_ns) / 1e6)

    def _add(self, row: str, type: str, measured: Sequence[_Measured], utc_s: float) -> None:
        """What locust would have counted one by one. `utc_s`: of the clock's zero."""
        stats: Any = self._environment.stats
        entry: Any = StatsEntry(stats, row, type)
        times = [(end_ns - begin_ns) / 1e6 for begin_ns, end_ns, _ in measured]
        entry.num_requests = len(times)
        entry.total_response_time = sum(times)
        entry.min_response_time, entry.max_response_time = min(times), max(times)
        entry.total_content_length = sum(size_bytes for *_, size_bytes in measured)
        entry.response_times = Counter(map(rounded, times))
        entry.num_reqs_per_sec = Counter(int(utc_s + end_ns / 1e9) for _, end_ns, _ in measured)
        entry.start_time, entry.last_request_timestamp = (utc_s + measured[at][1] / 1e9 for at in (0, -1))
        stats.get(row, type).extend(entry)
        stats.total.extend(entry)

    def hand_in_regularly(self) -> None:
        """As long as the process lives."""
        while True:
            gevent.sleep(EVERY_S)
            self.hand_in()

    def _fire(self, row: str, type: str, took_ms: float | None, size_bytes: int, error: Exception | None) -> None:
        self._environment.events.request.fire(
            request_type=type, name=row, response_time=took_ms, response_length=size_bytes, exception=error, context={}
        )


@cache
def figures(environment: Environment) -> Figures:
    """Those of this process."""
    return Figures(environment)


def rounded(took_ms: float) -> float:
    """Two digits, as locust rounds to keep its tables small; a tenth of a millisecond below ten."""
    if took_ms < 10:
        return round(took_ms, 1)
    return float(round(took_ms, 1 - math.floor(math.log10(took_ms))))
