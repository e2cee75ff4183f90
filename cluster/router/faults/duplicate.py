"""Duplicate: stanzas that arrive twice."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from cluster.base.units import SHARE
from cluster.router.fault import Effect, Fault, Passage


class Duplicate(Effect):
    """Doubles a share of the stanzas. A message and its double have the same mark or stanza-id."""

    def __init__(self, share: float) -> None:
        self._share = share

    def pass_on(self, passage: Passage, now_s: float, rng: Random) -> Sequence[Passage]:
        """The stanza, once or twice."""
        return (passage, passage) if rng.random() < self._share else (passage,)


fault = Fault(
    "duplicate", SHARE, "Deliver this share of stanzas twice, at random, such as `1%`; with the same id.",
    Duplicate,
)  # fmt: skip
