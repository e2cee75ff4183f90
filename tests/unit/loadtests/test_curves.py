"""The curves of the number of users, as docs/load.md has them."""

from __future__ import annotations

import pytest

from loadtests.curves import ramp, spike, steps


@pytest.mark.parametrize(
    ("curve", "at"),
    [
        (steps, {0.0: 0.2, 0.19: 0.2, 0.2: 0.4, 0.5: 0.6, 0.99: 1.0}),
        (ramp, {0.0: 0.0, 0.25: 0.5, 0.5: 1.0, 0.74: 1.0, 0.875: 0.5}),
        (spike, {0.0: 0.2, 0.39: 0.2, 0.4: 1.0, 0.59: 1.0, 0.6: 0.2}),
    ],
)
def test_parts_of_the_users_at_parts_of_the_time(curve: object, at: dict[float, float]) -> None:
    assert callable(curve)
    assert {part: curve(part) for part in at} == at
