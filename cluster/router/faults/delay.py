"""Delay: a longer way."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from cluster.base.units import DURATION
from cluster.router.fault import Effect, Fault, Passage


class Delay(Effect):
    """Counted from when the sender wrote the stanza: one that has waited longer for its reader is not delayed."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s

    def pass_on(self, passage: Passage, now_s: float, rng: Random) -> Sequence[Passage]:
        """The stanza, later."""
        return (passage._replace(due_s=passage.due_s + self._delay_s),)


fault = Fault(
    "delay",
    DURATION,
    "Delay each stanza by this time, such as `40ms` or `1.5s`; order is kept.",
    Delay,
)
