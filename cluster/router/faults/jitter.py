"""Jitter: a way of varying length."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from cluster.base.units import DURATION
from cluster.router.fault import Effect, Fault, Passage


class Jitter(Effect):
    """Adds a random time to each stanza, uniformly distributed up to a limit."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s

    def pass_on(self, passage: Passage, now_s: float, rng: Random) -> Sequence[Passage]:
        """The stanza, a little later."""
        return (passage._replace(due_s=passage.due_s + rng.uniform(0, self._most_s)),)


fault = Fault(
    "jitter", DURATION, "Delay each stanza by a random time up to this one, such as `5ms`; order is kept.", Jitter
)
