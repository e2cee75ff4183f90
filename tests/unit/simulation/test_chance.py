"""The generator of the people and processes of a simulation."""

from __future__ import annotations

from math import e, log
from statistics import fmean, stdev

import pytest

from cluster.simulation.chance import Chance

DRAWS = 20_000


def test_the_published_sequence() -> None:
    """The first outputs of SplitMix64 for the state 1234567 (https://prng.di.unimi.it/splitmix64.c)."""
    chance = Chance("")
    chance._count = 1234567
    assert [chance.getrandbits(64) for _ in range(3)] == [
        6457827717110365317, 3203168211198807973, 9817491932198370423,
    ]  # fmt: skip


def test_the_same_seed_gives_the_same_draws_and_another_one_others() -> None:
    one, again, other = Chance("7 romeo"), Chance("7 romeo"), Chance("8 romeo")
    drawn = [one.random() for _ in range(5)]
    assert drawn == [again.random() for _ in range(5)]
    assert not {other.random() for _ in range(5)} & set(drawn)


def test_draws_lie_where_they_are_to_lie() -> None:
    chance = Chance("lie")
    assert all(0 <= chance.random() < 1 for _ in range(DRAWS))
    assert {chance.randrange(7) for _ in range(DRAWS)} == set(range(7))
    assert {chance.choice("abc") for _ in range(DRAWS)} == set("abc")
    for count in (1, 63, 64, 65, 128):
        assert max(chance.getrandbits(count).bit_length() for _ in range(200)) == count
    assert len({chance.randbytes(16) for _ in range(200)}) == 200
    assert [len(chance.randbytes(count)) for count in (1, 16, 32)] == [1, 16, 32]
    with pytest.raises(IndexError):
        chance.choice("")


def test_distributions_have_their_means_and_spreads() -> None:
    chance = Chance("distributions")
    close = pytest.approx
    assert fmean(chance.random() for _ in range(DRAWS)) == close(0.5, abs=0.01)
    assert fmean(chance.expovariate(1 / 60) for _ in range(DRAWS)) == close(60, rel=0.03)
    longer_than_mean = sum(chance.expovariate(1.0) > 1 for _ in range(DRAWS)) / DRAWS
    assert longer_than_mean == close(1 / e, abs=0.015)
    logarithms = [log(chance.lognormvariate(log(6), 0.8)) for _ in range(DRAWS)]
    assert (fmean(logarithms), stdev(logarithms)) == (close(log(6), rel=0.02), close(0.8, rel=0.02))


def test_draws_of_neighbours_have_nothing_in_common() -> None:
    """Seeds differ by one character: the correlation of their draws is that of chance."""
    pairs = [(Chance(f"1 p{n}@x").random() - 0.5, Chance(f"1 p{n + 1}@x").random() - 0.5) for n in range(DRAWS)]
    assert fmean(one * other for one, other in pairs) * 12 == pytest.approx(0, abs=0.03)
