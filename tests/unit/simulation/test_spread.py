"""Runs with many seeds on several cores."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cluster.lab.errors import LabError
from cluster.simulation.spread import results
from tests.live.running_lab import ROOT
from tests.unit.cli.shell import VERONA, Shell, shell

__all__ = ["shell"]


def slower_first(
    folder: Path, seed: int, tell: Callable[[str], None], is_stopped: Callable[[], bool]
) -> tuple[int, int]:
    """The second run is done before the first one."""
    done = folder / "second"
    if seed == 1:
        while not done.exists():
            os.sched_yield()
    elif seed == 2:
        done.touch()
    return seed, os.getpid()


def until_stopped(folder: Path, seed: int, tell: Callable[[str], None], is_stopped: Callable[[], bool]) -> int:
    """A run that has no end."""
    (folder / str(seed)).touch()
    while not is_stopped():
        os.sched_yield()
    return seed


def killed(seed: int, tell: Callable[[str], None], is_stopped: Callable[[], bool]) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return seed


def wrong(seed: int, tell: Callable[[str], None], is_stopped: Callable[[], bool]) -> int:
    raise ZeroDivisionError


def run(what: Any, count: int, is_stopped: Callable[[], bool] = lambda: False) -> list[Any]:
    return [*results(what, range(1, count + 1), lambda text: None, is_stopped, most=2)]


def test_results_come_in_the_order_of_the_seeds_from_several_processes(tmp_path: Path) -> None:
    found = run(partial(slower_first, tmp_path), 20)
    assert [seed for seed, _ in found] == [*range(1, 21)]
    assert len({process for _, process in found} - {os.getpid()}) == 2


def test_an_interrupt_ends_the_runs_and_gives_what_they_have_so_far(tmp_path: Path) -> None:
    found = run(partial(until_stopped, tmp_path), 100, lambda: (tmp_path / "1").exists())
    assert found
    assert found == [*range(1, len(found) + 1)]
    assert len(found) < 100


def test_an_error_of_a_run_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        run(wrong, 2)


def test_a_process_that_is_killed_is_told_with_a_remedy() -> None:
    with pytest.raises(LabError, match="one --seed at a time"):
        run(killed, 2)


SCENARIO = f"""
name: small
topology: {ROOT}/topologies/two-domains.yaml
flows: [{{from: romeo@montague.lit, to: juliet@capulet.lit, rate: 20, duration: 2s}}]
steps: [{{at: 1s, kill: s2, for: 0.5s}}]
"""


@pytest.mark.parametrize("kind", ["people", "scenario"])
def test_the_same_as_on_one_core(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SCENARIO)
    what = (VERONA, "--for", "1m") if kind == "people" else (str(file),)

    def ran(count: int) -> tuple[int, Any]:
        monkeypatch.setattr("cluster.simulation.spread.cores", lambda: count)
        code, out, _ = shell.run("simulate", *what, "--seeds", "1..3", "--format", "json")
        reports = json.loads(out)
        for each in reports:
            each.pop("real_s", None)
        return code, reports

    assert ran(2) == ran(1)
