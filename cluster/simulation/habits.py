"""What people do, and how often: an open workload, for nobody waits for a slow network before starting a talk."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from random import Random


@dataclass(frozen=True)
class Habits:
    """Times are means of exponential distributions, unless another one is named."""

    arrives_s: float = 60.0
    """Everybody comes for the first time within so long, evenly spread."""
    stays_s: float = 1_200.0
    """In one session."""
    away_s: float = 300.0
    """Between two sessions."""
    talks_every_s: float = 120.0
    """Between two conversations that one begins, with a contact that is chosen evenly."""
    answers: float = 0.7
    """The share of messages that are answered by somebody who is there: so a conversation has 3.3 on average."""
    thinks_s: float = 6.0
    """Median time before an answer, log-normal; `thinks_spread` is the sigma of its logarithm."""
    thinks_spread: float = 0.8
    message_characters: float = 60.0
    """Of the body of a message; at least one."""
    shows_every_s: float = 300.0
    """Between two changes of presence: available, away, dnd or xa, chosen evenly."""
    breaks_every_s: float = 900.0
    """Between two breaks of one's connection, after each of which the stream is resumed."""

    def think_s(self, chance: Random) -> float:
        """Before an answer."""
        return chance.lognormvariate(log(self.thinks_s), self.thinks_spread)


def in_s(mean_s: float, chance: Random) -> float:
    """When the next one comes of what comes by chance, so often on average."""
    return chance.expovariate(1.0 / mean_s)
