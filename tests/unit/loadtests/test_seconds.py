"""What a load test has measured, by second, from each of its processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.base.histogram import Histogram, Outcomes
from cluster.cli.load_timeline import read
from loadtests import seconds
from loadtests.seconds import Seconds


def shown(of: dict[int, Outcomes]) -> dict[int, tuple[int, int]]:
    return {at: (outcomes.times.total, outcomes.failed) for at, outcomes in of.items()}


def test_what_failed_is_counted_apart_and_has_no_time() -> None:
    found = Seconds()
    found.add("deliver", 1_000.5, 4.0)
    found.fail("deliver", 1_000.9)
    found.fail("deliver", 1_002.0)
    assert shown(found.measured["deliver"]) == {1_000: (1, 1), 1_002: (0, 1)}


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seconds, "MAX_SECONDS", 10)
    monkeypatch.setattr(seconds, "MAX_NAMES", 2)
    found = Seconds()
    for number in range(100):
        found.add(f"deliver {number % 3}", 1_000.0 + number, 0.0)
    assert list(found.measured) == ["deliver 0", "deliver 1"]
    assert min(found.measured["deliver 0"]) == 1_099 - 9 * 3


def test_the_processes_of_a_run_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pid, took_ms in ((1, 10.0), (2, 1_000.0)):
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        one = Seconds()
        one.add("deliver", 999.0, took_ms)
        one.write(tmp_path)
    monkeypatch.setattr("os.getpid", lambda: 3)
    Seconds().write(tmp_path)  # a master measures nothing
    times = Histogram()
    for took_ms in (10.0, 1_000.0):
        times.add(took_ms)
    assert read(tmp_path) == {"deliver": {999: Outcomes(times)}}
    assert len(list(tmp_path.iterdir())) == 2
