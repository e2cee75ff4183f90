"""The accounts of a load in a lab that lets nobody register: the lab makes them, and removes them however it ends."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster.lab.wait import wait_until
from tests.live.load_report import load_report
from tests.live.running_lab import ROOT, XMPPLAB, RunningLab

pytestmark = pytest.mark.live

PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """As `make lab` brings it up."""
    lab = RunningLab(tmp_path_factory.mktemp("closed"), ROOT / "topologies" / "rfc3920.yaml")
    lab.up()
    yield lab
    lab.down()


def accounts(lab: RunningLab) -> list[str]:
    return [each["jid"] for each in json.loads(lab.command("user", "ls", "--format", "json"))]


def left(lab: RunningLab) -> list[Path]:
    return [*(lab.folder / ".xmpplab" / "rfc3920" / "load").iterdir()]


@pytest.mark.parametrize("how", [["-u", "4"], ["-u", "4", "--processes", "2"]])
def test_each_user_has_an_account_during_the_run(lab: RunningLab, how: list[str]) -> None:
    before = accounts(lab)
    found = load_report(lab.command("load", "chat", *how, "-t", "8s", "--rate", "5", "--format", "json"))
    assert found.count("login") == 4
    assert found.count("deliver") == found.count("send") > 0
    assert found.failures == []
    assert accounts(lab) == before
    assert left(lab) == []


def started(lab: RunningLab, *arguments: str) -> subprocess.Popen[str]:
    """A load, once its users are logged in."""
    argv = [XMPPLAB, "load", "chat", "-u", "4", "-t", "1h", *arguments]
    load = subprocess.Popen(argv, cwd=lab.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert wait_until(lambda: lab.node("montague.lit")["sessions"], PATIENCE_S)
    return load


def test_they_are_removed_after_an_interrupt(lab: RunningLab) -> None:
    before = accounts(lab)
    with started(lab) as load:
        assert len(accounts(lab)) > len(before)
        load.send_signal(signal.SIGINT)
        load.communicate(timeout=PATIENCE_S)
    assert accounts(lab) == before


def test_the_figures_are_shown_even_if_accounts_cannot_be_removed(lab: RunningLab) -> None:
    before = accounts(lab)
    with started(lab) as load:
        lab.command("pause", "s2")
        try:
            load.send_signal(signal.SIGINT)
            shown, told = load.communicate(timeout=PATIENCE_S)
        finally:
            lab.command("resume", "s2")
    assert load.returncode == 1
    assert shown.startswith("MEASURED")
    assert "are left, until the next load: s2 (capulet.lit) did not answer" in told
    lab.command("load", "chat", "-u", "2", "-t", "2s")
    assert accounts(lab) == before


def test_what_a_killed_run_left_is_removed_by_the_next(lab: RunningLab) -> None:
    before = accounts(lab)
    with started(lab) as load:
        children = psutil.Process(load.pid).children()
        load.kill()
        for child in children:
            child.kill()
            child.wait(PATIENCE_S)
    assert len(accounts(lab)) > len(before)
    lab.command("load", "chat", "-u", "2", "-t", "2s")
    assert accounts(lab) == before
    assert left(lab) == []
