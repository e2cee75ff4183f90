"""The stanzas of a run by the second in which they were sent: for the time line."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cluster.base.histogram import Histogram, Measured, Outcomes
from cluster.lab.verify.checker import Checker


def by_second(checkers: Sequence[Checker], begin_utc_s: float) -> Measured:
    """Of each flow, its deliveries. `begin_utc_s`: of the run."""
    found: Measured = {}
    for checker in checkers:
        leg = checker.leg
        if not leg.is_first:
            continue
        seconds = found.setdefault(leg.name, {})
        for number, sent_s in enumerate(leg.flow.sent_s):
            outcomes = seconds.setdefault(math.floor(begin_utc_s + sent_s), Outcomes(Histogram()))
            if leg.has(number):
                outcomes.times.add(1000 * (checker.arrived_s[number] - sent_s))
            else:
                outcomes.failed += 1
    return found
