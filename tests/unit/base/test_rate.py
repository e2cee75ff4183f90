"""How often something may happen."""

from __future__ import annotations

import itertools

import pytest
from twisted.internet.task import Clock

from cluster.base.rate import MAX_KEYS, RateLimit


def test_each_key_has_its_own_share_of_each_minute() -> None:
    clock = Clock()
    limit = RateLimit.per_minute(2, clock.seconds)
    assert [limit.take(key) for key in "aabab"] == [True, True, True, False, True]
    clock.advance(29.9)
    assert not limit.take("a")
    clock.advance(0.2)
    assert [limit.take("a") for _ in range(2)] == [True, False]
    clock.advance(600)
    assert [limit.take("a") for _ in range(3)] == [True, True, False]


def test_a_second_s_worth_may_come_at_once() -> None:
    clock = Clock()
    limit = RateLimit(3, clock.seconds)
    assert [limit.take() for _ in range(4)] == [True, True, True, False]
    slow = RateLimit(0.5, clock.seconds)
    assert [slow.take() for _ in range(2)] == [True, False]


def test_what_is_remembered_of_keys_is_bounded() -> None:
    clock = Clock()
    limit = RateLimit.per_minute(1, clock.seconds)
    assert all(limit.take(str(number)) for number in range(MAX_KEYS))
    assert not limit.take("0")  # seen just now, so it is not the next one to be forgotten
    assert limit.take("another")
    assert not limit.take("0")
    assert limit.take("1")


@pytest.mark.parametrize("count", [1, 10_000])
def test_without_a_limit(count: int) -> None:
    limit = RateLimit(0, itertools.count().__next__)
    assert all(limit.take("a") for _ in range(count))
