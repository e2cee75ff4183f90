"""The time until a process is woken."""

from __future__ import annotations

from cluster.simulation.costs import MAX_US, WAKE_SHARES
from loadtests.bench.waking import wakes_us


def test_each_share_of_the_wake_ups_takes_at_most_so_long() -> None:
    found = wakes_us()
    assert len(found) == len(WAKE_SHARES)
    assert found == sorted(found)
    assert 0 <= found[0] <= found[-1] < MAX_US
