"""Reorder: stanzas that are overtaken."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from cluster.base.units import SHARE
from cluster.router.fault import Effect, Fault, Passage

HELD_BACK_S = 0.1
"""Stanzas that come over the link in this time overtake the held one."""


class Reorder(Effect):
    """Holds a share of the stanzas back, and lets later ones pass."""

    def __init__(self, share: float) -> None:
        self._share = share

    def pass_on(self, passage: Passage, now_s: float, rng: Random) -> Sequence[Passage]:
        """The stanza, in its turn or later."""
        if rng.random() >= self._share:
            return (passage,)
        return (passage._replace(due_s=max(passage.due_s, now_s) + HELD_BACK_S, in_order=False),)


fault = Fault(
    "reorder", SHARE,
    f"Hold this share of stanzas back for {HELD_BACK_S * 1000:g} ms, at random, such as `1%`; later ones overtake "
    "them.",
    Reorder,
)  # fmt: skip
