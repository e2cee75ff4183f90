from __future__ import annotations

import pytest

from loadtests.pace import Pace

SECOND = 1_000_000_000


def test_due_times_are_even() -> None:
    pace = Pace(rate_per_s=4, begin_ns=SECOND, phase=0)
    assert [pace.take() / SECOND for _ in range(4)] == [1.0, 1.25, 1.5, 1.75]


def test_the_phase_moves_them_all() -> None:
    pace = Pace(rate_per_s=4, begin_ns=SECOND, phase=0.5)
    assert [pace.take() / SECOND for _ in range(2)] == [1.125, 1.375]


def test_the_wait_shrinks_as_time_goes_by() -> None:
    pace = Pace(rate_per_s=2, begin_ns=SECOND, phase=0)
    assert pace.wait_s(0) == 1.0
    pace.take()
    assert pace.wait_s(SECOND) == 0.5
    assert pace.wait_s(SECOND + SECOND // 4) == 0.25


def test_a_stall_moves_no_due_time() -> None:
    pace = Pace(rate_per_s=10, begin_ns=0, phase=0)
    pace.take()
    now_ns = SECOND  # the first one took a second
    late = []
    while pace.wait_s(now_ns) == 0:
        late.append((now_ns - pace.take()) / SECOND)
    assert late == [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]


def test_odd_rates_do_not_drift() -> None:
    pace = Pace(rate_per_s=3, begin_ns=0, phase=0)
    for _ in range(3_000_000):
        pace.take()
    assert pace.due_ns == 1_000_000 * SECOND


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_no_rate(rate: float) -> None:
    with pytest.raises(ValueError, match="more than 0 messages per second"):
        Pace(rate, begin_ns=0, phase=0)
