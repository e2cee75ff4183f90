"""Load while servers are away: every outage is in the figures, and the exit code tells of it."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.lab.wait import wait_until
from tests.live.locust_run import LOCUST, TIMEOUT_S, locust
from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live

CHAT = ROOT / "loadtests" / "chat.py"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    lab = RunningLab(tmp_path_factory.mktemp("outage"), ROOT / "topologies" / "verona.yaml")
    try:
        lab.up()
        yield lab
    finally:
        lab.down()


@pytest.fixture
def state(lab: RunningLab) -> Path:
    return Path(lab.ps()["state_dir"])


def rows(prefix: Path) -> dict[str, dict[str, str]]:
    """What locust has written so far with `--csv`: it does so every second, and at the end."""
    file = Path(f"{prefix}_stats.csv")
    if not file.exists():
        return {}
    with file.open() as lines:
        return {row["Name"]: row for row in csv.DictReader(lines) if row["Type"] == "XMPP"}


def test_users_of_a_killed_server_come_back_and_the_outage_is_seen(
    lab: RunningLab, state: Path, tmp_path: Path
) -> None:
    prefix = tmp_path / "run"
    argv = [*LOCUST, "-f", str(CHAT), "-u", "8", "-r", "8", "--rate", "10", "--csv", str(prefix)]
    with subprocess.Popen(
        argv, cwd=ROOT, env={**os.environ, "XMPPLAB_STATE": str(state)}, stderr=subprocess.PIPE, text=True
    ) as run:
        try:
            assert wait_until(lambda: "deliver local" in rows(prefix), TIMEOUT_S)
            lab.command("kill", "s2", "--for", "2s")
            assert wait_until(lambda: "reconnect" in rows(prefix), TIMEOUT_S)
        finally:
            run.send_signal(signal.SIGINT)
            _, errors = run.communicate(timeout=TIMEOUT_S)
    assert run.returncode == 1, errors
    assert "Traceback" not in errors, errors
    found = rows(prefix)
    lost, back = found["stream"], found["reconnect"]
    assert int(lost["Failure Count"]) > 0
    assert (back["Request Count"], back["Failure Count"]) == (lost["Failure Count"], "0")
    # what was due while the server was away is sent when it is back, and counts from when it was due
    assert float(back["Min Response Time"]) > 1_000
    assert float(found["send"]["Max Response Time"]) > 1_000
    assert float(found["deliver local"]["Max Response Time"]) > 1_000


def test_a_login_that_does_not_end_is_a_failure(lab: RunningLab, state: Path) -> None:
    lab.command("pause", "s2")
    try:
        done = locust(CHAT, state, "-u", "4", "-r", "4", "-t", "2s")
    finally:
        lab.command("resume", "s2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not logged in at the end" in done.stderr + done.stdout


def test_a_login_is_waited_for_after_the_end(lab: RunningLab, state: Path) -> None:
    argv = [*LOCUST, "-f", str(CHAT), "-u", "4", "-r", "4", "-t", "2s"]
    lab.command("pause", "s2")
    with subprocess.Popen(
        argv, cwd=ROOT, env={**os.environ, "XMPPLAB_STATE": str(state)}, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        try:
            ending = next(line for line in run.stderr if "run-time limit reached" in line)
        finally:
            lab.command("resume", "s2")
        errors = run.stderr.read()
        assert run.wait(TIMEOUT_S) == 0, ending + errors


def test_a_run_of_no_time_is_refused(state: Path) -> None:
    done = locust(CHAT, state, "-u", "1", "-t", "0s")
    assert done.returncode == 1
    assert "with a run time of 0 locust never ends" in done.stderr
