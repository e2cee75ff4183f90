"""The same seed gives the same run: in any process, after any other run, whenever Python collects garbage."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.simulation.api import RouterKind, simulate
from tests.live.running_lab import ROOT
from tests.unit.simulation.plans import MIXED, named, written

TIMEOUT_S = 250
SCRIPT = """
import gc, sys
from pathlib import Path
from cluster.simulation.api import simulate
from tests.unit.simulation.plans import MIXED, named, written

gc.set_threshold(int(sys.argv[1]))
mixed = written(MIXED, Path(sys.argv[2]))
for name, router, seed in [
    ("verona", "memory", 3), ("verona", "memory", 3), ("verona", "memory", 4), ("verona", "redis", 3),
    ("s2s", "memory", 3), ("mixed", "memory", 5), ("mixed", "redis", 5),
]:
    plan = mixed if name == "mixed" else named(name)
    report = simulate(plan, seed=seed, duration_s=40, people=8, troubles=10, router=router)
    print(report.digest, report.events, report.messages.delivered, report.rooms.heard)
"""
"""Crashes and what they leave are the hardest part of it."""


def other_pythons() -> list[str]:
    """The other versions of Python here that have what a simulation needs."""
    names = [f"python3.{minor}" for minor in range(11, 15) if minor != sys.version_info.minor]
    found = [path for name in names if (path := shutil.which(name)) is not None]
    needs = "import hiredis, lupa, msgspec, pydantic, twisted"
    return [each for each in found if not subprocess.run([each, "-c", needs], capture_output=True).returncode]


def test_in_any_process(tmp_path: Path) -> None:
    """Hashes, versions of Python and the thresholds of the garbage collector differ."""
    running = []
    for number, python in enumerate([sys.executable, sys.executable, *other_pythons()]):
        folder = tmp_path / str(number)
        folder.mkdir()
        running.append(
            subprocess.Popen(
                [python, "-c", SCRIPT, str(50 * number), str(folder)],
                cwd=ROOT,
                env={**os.environ, "PYTHONHASHSEED": str(number)},
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    one, *others = [process.communicate(timeout=TIMEOUT_S)[0] for process in running]
    assert [one] * len(others) == others
    first, again, another, *_ = runs = one.splitlines()
    assert first == again, "nothing is left of an earlier run of the process"
    assert first != another
    assert len(runs) == 7


@pytest.mark.parametrize(("topology", "router"), [("verona", "redis"), ("mixed", "memory")])
def test_whenever_python_collects_garbage(topology: str, router: RouterKind, tmp_path: Path) -> None:
    """A server forgets an account that nothing refers to, and reads it again."""
    plan = written(MIXED, tmp_path) if topology == "mixed" else named(topology)
    before, digests = gc.get_threshold(), []
    try:
        for threshold in (0, 50, 700):
            gc.set_threshold(threshold)
            report = simulate(plan, seed=5, duration_s=60, people=10, troubles=10, router=router)
            digests.append(report.digest)
            assert gc.isenabled()
    finally:
        gc.set_threshold(*before)
    assert digests == digests[:1] * 3
