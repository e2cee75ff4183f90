"""A lab that belongs to a process ends with it, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cluster.lab.folder import LABS, LabFolder
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, XMPPLAB, RunningLab

pytestmark = pytest.mark.live
TOPOLOGY = str(ROOT / "topologies" / "two-domains.yaml")


def until_nothing_is_left(folder: Path, supervisor: int | None) -> None:
    assert supervisor is not None
    assert wait_until(lambda: not (folder / LABS).exists(), PATIENCE_S)
    assert wait_until(lambda: not psutil.pid_exists(supervisor), PATIENCE_S)


def test_a_lab_in_the_background_ends_with_its_owner(tmp_path: Path) -> None:
    lab, folder = RunningLab(tmp_path, Path(TOPOLOGY)), LabFolder(tmp_path / LABS / "two-domains")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        lab.command("up", TOPOLOGY, "-d", "--owner", str(owner.pid))
        supervisor = folder.holder()
        assert "two-domains" in lab.command("ls")
        owner.kill()
    until_nothing_is_left(tmp_path, supervisor)


def test_a_lab_in_the_foreground_ends_with_its_command(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / LABS / "two-domains")
    with subprocess.Popen([XMPPLAB, "up", TOPOLOGY], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        assert any("Ctrl-C" in line for line in command.stdout)
        supervisor = folder.holder()
        os.kill(command.pid, signal.SIGKILL)
    until_nothing_is_left(tmp_path, supervisor)


def test_an_owner_that_cannot_be(tmp_path: Path) -> None:
    lab = RunningLab(tmp_path, Path(TOPOLOGY))
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    assert f"no process has the id {ended.pid}" in lab.command(
        "up", TOPOLOGY, "-d", "--owner", str(ended.pid), exit_code=2
    )
    assert "leave it out" in lab.command("up", TOPOLOGY, "--driver", "docker", "--owner", str(os.getpid()), exit_code=2)
    assert list(tmp_path.iterdir()) == []
