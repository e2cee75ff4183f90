"""The Makefile, as a newcomer meets it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psutil
import pytest

from cluster.lab.folder import LABS, LabFolder
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, XMPPLAB, RunningLab

pytestmark = pytest.mark.live
MAKEFILE = ROOT / "Makefile"


def make(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["make", "-s", "-f", str(MAKEFILE), *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def test_bare_make_lists_every_target(tmp_path: Path) -> None:
    shown = make(tmp_path)
    assert shown == make(tmp_path, "help")
    [targets] = re.findall(r"^\.PHONY: (.*)$", MAKEFILE.read_text(), re.MULTILINE)
    assert re.findall(r"^  (\S+)", shown, re.MULTILINE) == [
        target for target in re.findall(r"^([a-z-]+):", MAKEFILE.read_text(), re.MULTILINE) if target in targets.split()
    ]
    assert len(re.findall(r"^  \S+ +\S", shown, re.MULTILINE)) == len(targets.split())


def test_clean_takes_running_labs_down_first(tmp_path: Path) -> None:
    lab = RunningLab(tmp_path, ROOT / "topologies" / "two-domains.yaml")
    lab.up()
    supervisor = LabFolder(tmp_path / LABS / "two-domains").holder()
    assert supervisor is not None
    pids = [supervisor, *(node["pid"] for node in lab.ps()["nodes"])]
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "xmpplab").symlink_to(XMPPLAB)
    assert "lab two-domains is down" in make(tmp_path, "clean")
    assert list(tmp_path.iterdir()) == []
    assert wait_until(lambda: not any(map(psutil.pid_exists, pids)), PATIENCE_S)
