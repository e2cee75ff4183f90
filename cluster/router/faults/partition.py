"""Partition: no way at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cluster.base.units import WINDOWS
from cluster.router.fault import Effect, Fault


class Partition(Effect):
    """Nothing comes over the link for a time. Stanzas wait in the link's backlog, and arrive in order at the end."""

    def __init__(self, windows: Sequence[Sequence[float | None]]) -> None:
        self._windows = [(start or 0.0, math.inf if end is None else end) for start, end in windows]

    def closed_until(self, now_s: float) -> float:
        """The end of the current interval, and of those that follow it without a gap."""
        open_s = now_s
        while found := [end for start, end in self._windows if start <= open_s < end]:
            open_s = max(found)
        return open_s


fault = Fault(
    "down", WINDOWS,
    "When the link is down: `always`, `10s..20s`, `10s..` or `..20s`, counted from `up` or from the "
    "command. Stanzas wait, up to `router.max_backlog`.",
    Partition,
)  # fmt: skip
