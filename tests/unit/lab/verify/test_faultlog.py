"""The checker's own record of what was broken."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lab.verify.faultlog import SLACK_S, FaultLog, Passage, most

LINK = ("montague.lit", "capulet.lit")


def test_a_fault_lasts_until_it_is_ended() -> None:
    faults = FaultLog()
    fault = faults.begin("loss", 10.0, LINK, {"loss": "1%"})
    passage = Passage(9.0, math.inf)
    assert faults.share("loss", [LINK], passage) == 0.01
    fault.end_s = 20.0
    assert faults.share("loss", [LINK], Passage(20 + SLACK_S + 1, 99.0)) == 0.0
    assert faults.share("loss", [LINK[::-1]], passage) == 0.0


@pytest.mark.parametrize(
    ("settings", "holds_back"),
    [({"loss": "1%"}, False), ({"delay": "40ms"}, False), ({"delay": "3s"}, True), ({"down": "always"}, True),
     ({"rate": "1kB/s"}, True)],
)  # fmt: skip
def test_what_holds_back(settings: dict[str, str], holds_back: bool) -> None:
    assert FaultLog().begin("x", 0.0, LINK, settings).holds_back is holds_back


def test_nothing_is_overdue_while_something_holds_it_back() -> None:
    faults = FaultLog()
    assert faults.due_until(30.0, 5.0) == 25.0
    crash = faults.begin("kill s2", 20.0)
    assert faults.due_until(30.0, 5.0) == 18.0
    crash.end_s = 22.0
    assert faults.due_until(26.0, 5.0) == 18.0
    assert faults.due_until(30.0, 5.0) == 25.0


@given(st.integers(0, 10_000), st.floats(0.001, 1.0))
def test_the_most_that_a_share_explains_is_above_its_mean_and_no_more_than_plausible(
    passages: int, share: float
) -> None:
    mean = passages * share
    assert mean <= most(passages, share) <= mean + 6 * (mean + 1) ** 0.5 + 4


def test_no_share_explains_nothing() -> None:
    assert most(1_000, 0.0) == 0
