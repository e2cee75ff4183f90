"""The parts of a link fault. The faults themselves are in `cluster/router/faults/`, one small file each.

Everything here and there is pure: no clock, no reactor, and no randomness except what is passed in. So the same seed
and the same stanzas give the same faults.
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
    """The time of its arrival, in seconds on the reader's clock. At first, the time at which its sender wrote it."""
    in_order: bool = True
    """It arrives after all that came over the link before it, even if it is due sooner."""


class Effect:
    """The effect of one fault on one link. Each link has its own, which may remember what it has seen."""

    def pass_on(self, passage: Passage, now_s: float, rng: Random) -> Sequence[Passage]:
        """The arrivals of a stanza that came over the link now: none if the fault loses it."""
        return (passage,)

    def closed_until(self, now_s: float) -> float:
        """The time at which the link is open again: `now_s` if it is open, `math.inf` if that is not known."""
        return now_s


@dataclass(frozen=True)
class Fault:
    """The declaration of a fault."""

    key: str
    """Its key in topologies and, after `--`, on the command line."""
    quantity: Unit
    """The unit of its value."""
    meaning: str
    """Its description, in a sentence or two."""
    effect: Callable[[Any], Effect]
    """Makes the effect on a link from the value that `quantity` parsed."""
