"""What was measured, second by second: each process writes it at its end into the folder that XMPPLAB_SECONDS names.

A time counts in the second in which it *began*, such as the one in which a message was due, whenever it arrived: a
server that stops for two seconds shows in all messages of these two seconds.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import msgspec

from cluster.base.histogram import Histogram, Measured, Outcomes

FOLDER = "XMPPLAB_SECONDS"
MAX_SECONDS = 7_200
"""Of one name; in a longer run, the earliest are forgotten."""
MAX_NAMES = 50


class Seconds:
    """What the users of one process measured."""

    def __init__(self) -> None:
        self.measured: Measured = {}

    def add(self, name: str, began_utc_s: float, took_ms: float) -> None:
        """It worked."""
        if outcomes := self._outcomes(name, math.floor(began_utc_s)):
            outcomes.times.add(took_ms)

    def fail(self, name: str, began_utc_s: float) -> None:
        """It did not."""
        if outcomes := self._outcomes(name, math.floor(began_utc_s)):
            outcomes.failed += 1

    def _outcomes(self, name: str, began: int) -> Outcomes | None:
        seconds = self.measured.get(name)
        if seconds is None:
            if len(self.measured) >= MAX_NAMES:
                return None
            seconds = self.measured[name] = {}
        outcomes = seconds.get(began)
        if outcomes is None:
            outcomes = seconds[began] = Outcomes(Histogram())
            if len(seconds) > MAX_SECONDS:
                del seconds[min(seconds)]
        return outcomes

    def write(self, folder: Path) -> None:
        """Write it into a file of this process; nothing if nothing was measured, as in a master."""
        if self.measured:
            (folder / f"{os.getpid()}.json").write_bytes(msgspec.json.encode(self.measured))
