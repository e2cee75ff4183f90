"""How long to wait before the next attempt."""

from __future__ import annotations

import pytest

from cluster.base.backoff import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(0.1, 5.0)
    assert [backoff.pause_s(failures) for failures in (0, 1, 2, 3, 4, 5, 6, 1_000_000)] == [
        0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0,
    ]  # fmt: skip


@pytest.mark.parametrize(("random", "pause_s"), [(0.0, 0.4), (0.5, 0.6)])
def test_jitter_shortens_a_pause_by_up_to_half(random: float, pause_s: float) -> None:
    assert Backoff(0.2, 5.0, lambda: random).pause_s(2) == pytest.approx(pause_s)
