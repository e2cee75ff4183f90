"""Times in classes."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from cluster.base.histogram import Histogram


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95, 0.99, 1.0])
def test_percentiles_are_exact_to_the_width_of_a_class(share: float) -> None:
    rng, found = Random(7), Histogram()
    times = sorted(rng.lognormvariate(1, 2) for _ in range(1_000))
    for ms in times:
        found.add(ms)
    wanted = times[round(share * 1_000) - 1]
    assert found.percentile_ms(share) == pytest.approx(wanted, rel=0.025)


def test_histograms_add_up() -> None:
    both, one, other = Histogram(), Histogram(), Histogram()
    for number in range(100):
        (one if number % 3 else other).add(number + 1.0)
        both.add(number + 1.0)
    one.merge(other.counts)
    assert one == both
    assert one.total == 100


def test_extreme_times_count_as_the_last_that_are_told_apart() -> None:
    found = Histogram()
    for ms in (-3.0, 0.0, 1e-9, 1e30):
        found.add(ms)
    assert len(found.counts) == 2
    assert found.percentile_ms(0.5) == pytest.approx(0.001, rel=0.05)


def test_without_times_there_is_no_percentile() -> None:
    assert Histogram().percentile_ms(0.5) is None


def test_it_travels_as_json() -> None:
    found = Histogram()
    found.add(3.0)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Histogram) == found
