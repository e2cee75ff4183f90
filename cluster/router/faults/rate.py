"""Rate: a narrow way."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from cluster.base.units import RATE
from cluster.router.fault import Effect, Fault, Passage


class Rate(Effect):
    """One stanza after the other, each for the time of its bytes."""

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._free_s = 0.0

    def pass_on(self, passage: Passage, now_s: float, rng: Random) -> Sequence[Passage]:
        """The stanza, when the link is free and has carried it; also if it has waited for its reader."""
        start_s = max(passage.due_s, self._free_s, now_s)
        self._free_s = start_s + len(passage.stanza.raw) / self._bytes_per_s
        return (passage._replace(due_s=self._free_s),)


fault = Fault("rate", RATE, "Carry at most this many bytes of stanzas per second: `64kB/s`, `10Mbit/s`.", Rate)
