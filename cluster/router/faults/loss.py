"""Loss: stanzas that never arrive."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from cluster.base.units import SHARE
from cluster.router.fault import Effect, Fault, Passage


class Loss(Effect):
    """Loses a share of the stanzas; the journal has a hop for each, and the link a count."""

    def __init__(self, share: float) -> None:
        self._share = share

    def pass_on(self, passage: Passage, now_s: float, rng: Random) -> Sequence[Passage]:
        """The stanza, or nothing if it is lost."""
        return () if rng.random() < self._share else (passage,)


fault = Fault(
    "loss", SHARE, "Drop this share of stanzas at random, such as `1%`; drops are counted and recorded.", Loss
)
