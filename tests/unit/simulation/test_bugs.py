"""Each bug that is put in on purpose is found, with the seed that found it first."""

from __future__ import annotations

import re

import pytest

from tests.live.running_lab import ROOT
from tests.unit.simulation.bugs import BUGS, Bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bug.run(bug.seed) == [], "without the bug all promises are kept"
    bug.put(monkeypatch)
    monkeypatch.setattr("cluster.simulation.scenario.SETTLE_S", 1.0)  # a client that cannot log in tries on and on
    assert bug.breaks in bug.run(bug.seed)


def test_the_page_says_after_how_many_seeds() -> None:
    page = (ROOT / "docs" / "simulate.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (\d+) \|$", page, re.M)
    assert rows == [(bug.name, bug.breaks.replace("_", " "), str(bug.seed)) for bug in BUGS]
    assert len(BUGS) == 10
