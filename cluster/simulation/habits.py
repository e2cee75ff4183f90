"""How people behave. The workload is open: conversations begin at a rate that does not depend on the network."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from random import Random


@dataclass(frozen=True)
class Habits:
    """Parameters of the distributions; times are means of exponential ones unless another one is named."""

    arrives_s: float = 60.0
    """First logins are uniformly distributed over this time."""
    stays_s: float = 1_200.0
    """Length of a session."""
    away_s: float = 300.0
    """Time between two sessions."""
    talks_every_s: float = 120.0
    """Time between two conversations that a person begins, each with a random contact."""
    answers: float = 0.7
    """Probability that an online receiver answers a message; a conversation has 3.3 messages on average."""
    thinks_s: float = 6.0
    """Median time before an answer, log-normal; `thinks_spread` is the sigma of its logarithm."""
    thinks_spread: float = 0.8
    message_characters: float = 60.0
    """Length of a message body."""
    shows_every_s: float = 300.0
    """Time between two changes of presence, to a random one of available, away, dnd and xa."""
    breaks_every_s: float = 900.0
    """Time between two breaks of the connection; the stream is resumed after each."""

    def think_s(self, chance: Random) -> float:
        """Time before an answer."""
        return chance.lognormvariate(log(self.thinks_s), self.thinks_spread)


def in_s(mean_s: float, chance: Random) -> float:
    """An exponentially distributed time with this mean."""
    return chance.expovariate(1.0 / mean_s)
