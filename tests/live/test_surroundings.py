"""A lab does not depend on what surrounds the command that brings it up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from cluster.lab.folder import LABS, LabFolder
from cluster.lab.processes.signals import STOP_TIMEOUT_S
from tests.live.running_lab import ROOT, TIMEOUT_S, XMPPLAB, RunningLab

pytestmark = pytest.mark.live
TOPOLOGY = ROOT / "topologies" / "two-domains.yaml"
UP = [XMPPLAB, "up", str(TOPOLOGY), "-d", "--owner", str(os.getpid())]


def run(argv: list[str], folder: Path, environment: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def test_files_of_the_current_folder_are_no_modules_of_the_lab(tmp_path: Path) -> None:
    for name in ("random", "code", "twisted"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this is a file of the user')\n")
    assert not run(UP, tmp_path).returncode
    RunningLab(tmp_path, TOPOLOGY).down()


def test_the_folder_may_have_any_name_that_is_text(tmp_path: Path) -> None:
    folder = tmp_path / "new\nline \\ ü \"q' $x; *[a]"
    folder.mkdir()
    lab = RunningLab(folder, TOPOLOGY)
    done = run(UP, folder)
    assert not done.returncode, done.stderr
    try:
        assert "sent" in lab.command("send", "romeo", "juliet", "But, soft!")
    finally:
        lab.down()
    assert list(folder.iterdir()) == []


def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    """Its path is in files of JSON."""
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    done = subprocess.run(UP, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 2
    assert "is not UTF-8; go to another folder" in done.stderr
    assert os.listdir(folder) == []


def test_a_lab_obeys_signals_that_its_command_blocked(tmp_path: Path) -> None:
    blocked = (
        "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals());"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    assert not run([sys.executable, "-c", blocked, *UP], tmp_path).returncode
    begin_s = time.monotonic()
    RunningLab(tmp_path, TOPOLOGY).down()
    assert time.monotonic() - begin_s < STOP_TIMEOUT_S  # it was not killed


def test_what_lacks_descriptors_says_so(tmp_path: Path) -> None:
    few = ["sh", "-c", 'ulimit -n 16 && exec "$@"', "sh", *UP]
    done = run(few, tmp_path)
    assert "open files without a client, and this system allows a process 16; raise that (`ulimit -Hn`" in done.stderr
    assert not (tmp_path / LABS).exists()


def test_code_of_nodes_that_is_broken_is_shown(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "cluster", tmp_path / "cluster")
    shutil.copytree(ROOT / "topologies", tmp_path / "topologies")
    (tmp_path / "cluster/server/build.py").write_text("import a_module_that_is_missing\n")
    done = run(UP, tmp_path, {**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1
    assert "s1 does not start (cannot be started: the fork server does not answer)" in done.stderr
    assert "ModuleNotFoundError: No module named 'a_module_that_is_missing'" in done.stderr
    assert not LabFolder(tmp_path / LABS / "two-domains").path.exists()
