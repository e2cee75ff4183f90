"""Draws of one person or process, from a generator of a few bytes: `random.Random` takes 2.5 KiB, and there are many.

SplitMix64 (G. Steele, D. Lea, C. Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014): a counter, whose
mixed value is the draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import cos, exp, log, pi, sqrt
from typing import TypeVar

Value = TypeVar("Value")
_STEP = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


class Chance:
    """A generator with the methods of `random.Random` that simulations use. The same seed gives the same draws."""

    __slots__ = ("_count",)

    def __init__(self, seed: str) -> None:
        self._count = int.from_bytes(blake2b(seed.encode(), digest_size=8).digest(), "big")

    def _word(self) -> int:
        """64 bits."""
        self._count = word = (self._count + _STEP) & _MASK
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
        return word ^ (word >> 31)

    def random(self) -> float:
        """At least 0, and less than 1."""
        return (self._word() >> 11) * 2.0**-53

    def randrange(self, stop: int) -> int:
        """An integer of at least 0 and less than `stop`, which is small against 2**64."""
        return (self._word() * stop) >> 64

    def choice(self, among: Sequence[Value]) -> Value:
        """One of these. Raises IndexError where there is none."""
        return among[self.randrange(len(among))]

    def getrandbits(self, count: int) -> int:
        """An integer of `count` bits."""
        bits = 0
        for _ in range(0, count, 64):
            bits = bits << 64 | self._word()
        return bits >> -count % 64

    def randbytes(self, count: int) -> bytes:
        """So many bytes."""
        return self.getrandbits(8 * count).to_bytes(count, "big")

    def expovariate(self, rate: float) -> float:
        """Exponentially distributed, with the mean 1 / `rate`."""
        return -log(1.0 - self.random()) / rate

    def lognormvariate(self, mu: float, sigma: float) -> float:
        """Log-normally distributed: its logarithm has the mean `mu` and the standard deviation `sigma`."""
        normal = sqrt(-2.0 * log(1.0 - self.random())) * cos(2.0 * pi * self.random())  # Box, Muller 1958
        return exp(mu + sigma * normal)
