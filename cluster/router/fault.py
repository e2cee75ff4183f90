"""What a link fault is. The faults themselves are in `cluster/router/faults/`, one small file each.

Everything here and there is pure: no clock, no reactor, and no randomness but what is passed in. So the same seed and
the same stanzas give the same faults.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from cluster.base.units import Unit

if TYPE_CHECKING:
    from cluster.xmpp.stanza import Stanza


class Passage(NamedTuple):
    """A stanza on its way over a link."""

    stanza: Stanza
    due_s: float
    """When it arrives: seconds on the reader's clock. At first, when its sender wrote it."""
    in_order: bool = True
    """It arrives after all that came over the link before it, even where it is due sooner."""


class Effect:
    """What one fault does to one link. It is made anew for each link, and may remember what it has seen."""

    def pass_on(self, passage: Passage, now_s: float, rng: Random) -> Sequence[Passage]:
        """What becomes of a stanza that came over the link now: nothing where the fault loses it."""
        return (passage,)

    def closed_until(self, now_s: float) -> float:
        """When something comes over the link again: `now_s` where it is open, `math.inf` where nobody knows."""
        return now_s


@dataclass(frozen=True)
class Fault:
    """A kind of fault, as it declares itself."""

    key: str
    """Its word in topologies and, behind `--`, on the command line."""
    quantity: Unit
    """What stands behind that word."""
    meaning: str
    """For the references: a sentence or two."""
    effect: Callable[[Any], Effect]
    """Makes the effect on a link of what `quantity` read."""
