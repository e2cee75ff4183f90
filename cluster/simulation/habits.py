"""How people behave, by chance. The workload is open: what they begin does not depend on the speed of the network.

The rates follow the rhythm of the day by thinning: events come at the rate of the busiest hour, and each happens with
the share of its hour (P. Lewis, G. Shedler: Simulation of Nonhomogeneous Poisson Processes by Thinning, 1979).
"""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from math import log

from cluster.simulation.chance import Chance
from cluster.topology.population import Population

MAX_CHARACTERS = 4_000
MAX_SMS_CHARACTERS = 300
HOUR_S = 3_600.0


class Habits:
    """Draws from the distributions of a population."""

    def __init__(self, of: Population) -> None:
        self.of = of
        self._device_shares = [*accumulate(of.devices)]

    def devices(self, chance: Chance) -> int:
        """How many devices somebody has."""
        if len(self._device_shares) == 1:
            return 1
        return 1 + min(bisect(self._device_shares, chance.random()), len(self._device_shares) - 1)

    def is_active(self, now_s: float, chance: Chance) -> bool:
        """Whether an event of the busiest hour's rate happens at this time."""
        hours = now_s / HOUR_S
        begin = self.of.rhythm[(self.of.begins + int(hours)) % 24]
        end = self.of.rhythm[(self.of.begins + int(hours) + 1) % 24]
        share = begin + (end - begin) * (hours % 1)
        return share >= 1 or chance.random() < share

    def answers(self, chance: Chance) -> bool:
        """Whether somebody answers a message."""
        return chance.random() < self.of.answer

    def think_s(self, chance: Chance) -> float:
        """Time before an answer."""
        return chance.lognormvariate(log(self.of.thinking), self.of.thinking_spread)

    def text(self, chance: Chance, at_most: int = MAX_CHARACTERS) -> str:
        """What somebody writes."""
        return "x" * min(1 + int(in_s(self.of.characters, chance)), at_most)


def in_s(mean_s: float, chance: Chance) -> float:
    """An exponentially distributed time with this mean."""
    return chance.expovariate(1.0 / mean_s)
