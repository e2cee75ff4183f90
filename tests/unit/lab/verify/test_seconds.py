"""The stanzas of a run by the second in which they were sent."""

from __future__ import annotations

import pytest

from cluster.lab.verify.checker import Checker
from cluster.lab.verify.faultlog import FaultLog
from cluster.lab.verify.seconds import by_second
from tests.unit.lab.verify.legs import leg


def test_each_stanza_lies_where_it_was_sent_whenever_it_arrived() -> None:
    checker = Checker(leg(3, (0, 100), (2, 102)), FaultLog())  # sent at 0, 1, 2 s
    checker.read()
    [(name, seconds)] = by_second([checker], 1_000.5).items()
    assert name == "romeo → juliet"
    assert {at: (outcomes.times.total, outcomes.failed) for at, outcomes in seconds.items()} == {
        1_000: (1, 0), 1_001: (0, 1), 1_002: (1, 0),
    }  # fmt: skip
    assert seconds[1_000].times.percentile_ms(1) == pytest.approx(100, rel=0.03)
