"""Each bug that is put in on purpose is found, with the seed that found it first."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from cluster.simulation.api import RouterKind
from tests.bugs.bugs import BUGS
from tests.bugs.live import environment, matrix
from tests.live.running_lab import ROOT
from tests.unit.simulation.bugs import FOUND, Found


@pytest.mark.parametrize("router", ["memory", "redis"])
@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.bug)
def test_a_bug_is_found(found: Found, router: RouterKind, monkeypatch: pytest.MonkeyPatch) -> None:
    run, seed = found.with_router(router)
    assert run(seed, router) == [], "without the bug all promises are kept"
    BUGS[found.bug](monkeypatch.setattr)
    monkeypatch.setattr("cluster.simulation.scenario.SETTLE_S", 1.0)  # a client that cannot log in tries on and on
    assert found.breaks in run(seed, router)


def test_the_page_says_after_how_many_seeds_and_which_scenario_of_a_lab_finds_it() -> None:
    page = (ROOT / "docs" / "simulate.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (\d+) \| (\d+) \| ([^|]+) \|$", page, re.M)
    assert [row[:4] for row in rows] == [
        (found.bug, found.breaks.replace("_", " "), str(found.memory.seed), str(found.redis.seed)) for found in FOUND
    ]
    assert [found.bug for found in FOUND] == [*BUGS]
    assert len(BUGS) == 10
    assert {row[4].strip("`") for row in rows} <= {"not found", *matrix()}


def told(bug: str) -> subprocess.CompletedProcess[str]:
    """What a process of a lab with this bug says of itself."""
    code = "from cluster.server.im.presence import Presence; print(Presence.answer_probe.__module__)"
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, env=environment(bug), cwd=os.path.sep, capture_output=True, text=True, check=False)


def test_each_process_of_a_lab_has_the_bug() -> None:
    assert told("drop the answer to a probe").stdout == "tests.bugs.bugs\n"
    assert told("count before it is kept").stdout == "cluster.server.im.presence\n"
    unknown = told("none")
    assert unknown.returncode == 1
    assert "no bug was put in" in unknown.stderr
