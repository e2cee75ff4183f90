"""How often something may happen."""

from __future__ import annotations

import itertools

import pytest
from twisted.internet.task import Clock

from cluster.server.rate import RateLimit


def test_each_key_has_its_own_share_of_each_minute() -> None:
    clock = Clock()
    limit = RateLimit(2, clock.seconds)
    assert [limit.take(key) for key in "aabab"] == [True, True, True, False, True]
    clock.advance(59.9)
    assert not limit.take("a")
    clock.advance(0.2)
    assert [limit.take("a") for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("count", [1, 10_000])
def test_without_a_limit(count: int) -> None:
    limit = RateLimit(0, itertools.count().__next__)
    assert all(limit.take("a") for _ in range(count))
