"""Times in classes of a constant relative width: small, quick to add to, and histograms of several places add up."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log

import msgspec

WIDTH = 1.05
"""Each class ends at this many times its beginning, so percentiles are exact to 2.5 %."""
LEAST_MS = 0.001
MOST_MS = 1e9
"""Shorter and longer times, up to eleven days, count as these; so there are at most some 570 classes."""
_LOG_WIDTH = log(WIDTH)


class Histogram(msgspec.Struct, array_like=True):
    """How many times fell into each class, by the class's number."""

    counts: dict[int, int] = {}

    def add(self, ms: float) -> None:
        """Count a time in milliseconds."""
        number = floor(log(min(max(ms, LEAST_MS), MOST_MS) / LEAST_MS) / _LOG_WIDTH)
        self.counts[number] = self.counts.get(number, 0) + 1

    def merge(self, counts: Mapping[int, int]) -> None:
        """Count what another histogram has counted."""
        for number, count in counts.items():
            self.counts[number] = self.counts.get(number, 0) + count

    @property
    def total(self) -> int:
        """How many times were counted."""
        return sum(self.counts.values())

    def percentile_ms(self, share: float) -> float | None:
        """The time that this share of all (0 to 1) does not exceed, by the nearest rank; None without any."""
        left = share * self.total
        for number in sorted(self.counts):
            left -= self.counts[number]
            if left <= 1e-9:  # the product may be a little more than a whole number
                return float(LEAST_MS * WIDTH ** (number + 0.5))
        return None


class Outcomes(msgspec.Struct, array_like=True):
    """What became of the things that began in one second, such as messages that were due in it."""

    times: Histogram
    failed: int = 0


Measured = dict[str, dict[int, Outcomes]]
"""By what was measured, such as `deliver local`, and by the second in UTC in which it began."""
