"""A whole lab whose disk is full, or whose folder is gone."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster.lab.folder import LABS, LabFolder
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, RunningLab
from tests.small_disk import fill, small_disk

pytestmark = pytest.mark.live
TOPOLOGY = ROOT / "topologies" / "two-domains.yaml"


@pytest.fixture
def disk() -> Iterator[Path]:
    with small_disk("8m") as disk:
        yield disk


@pytest.fixture
def lab(disk: Path) -> Iterator[RunningLab]:
    lab = RunningLab(disk, TOPOLOGY)
    yield lab
    lab.down()


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_lab_goes_on_when_its_disk_is_full(lab: RunningLab) -> None:
    """What is killed is started again, `ps` says how it is, and when there is room again all is as before."""
    lab.up()
    before = lab.node("montague.lit")
    filler = fill(lab.folder)
    os.kill(before["pid"], signal.SIGKILL)

    def is_told() -> bool:
        node = lab.node("montague.lit")
        alive = node["pid"] is None or psutil.pid_exists(node["pid"])
        return alive and node["restarts"] >= 1 and node["last_exit"] != ""

    assert wait_until(is_told, PATIENCE_S), lab.ps()
    assert "No space left on device" in lab.command("kill", "s2", "--for", "3s", exit_code=1)
    assert lab.node("capulet.lit")["restarts"] == 0
    filler.unlink()
    lab.command("kill", "redis")
    for domain in ("montague.lit", "capulet.lit"):
        assert wait_until(lambda domain=domain: lab.node(domain)["sessions"] == 0, PATIENCE_S), lab.ps()
    lab.command("user", "add", "rosaline@capulet.lit", "--password", "secret")
    assert "rosaline@capulet.lit" in lab.command("user", "ls")


def test_a_scale_that_finds_no_room_changes_nothing(lab: RunningLab) -> None:
    lab.up()
    filler = fill(lab.folder)
    assert "No space left on device" in lab.command("scale", "s1=2", exit_code=1)
    filler.unlink()
    assert [node["name"] for node in lab.ps()["nodes"]] == ["redis", "s1", "s2"]


@pytest.mark.parametrize("free_kib", [0, 4, 32])
def test_up_says_that_the_disk_is_full_and_leaves_nothing(lab: RunningLab, free_kib: int) -> None:
    filler = fill(lab.folder)
    os.truncate(filler, filler.stat().st_size - free_kib * 1024)
    said = lab.command("up", str(TOPOLOGY), "-d", exit_code=1)
    assert "No space left on device" in said or "is full" in said
    assert "df -h" in said
    assert list(lab.folder.iterdir()) == [filler]


@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_a_lab_without_its_folder_ends_and_another_one_may_begin(tmp_path: Path, how: str) -> None:
    lab = RunningLab(tmp_path, TOPOLOGY)
    lab.up()
    supervisor = LabFolder(tmp_path / LABS / "two-domains").holder()
    assert supervisor is not None
    pids = [supervisor, *(node["pid"] for node in lab.ps()["nodes"])]
    if how == "removed":
        shutil.rmtree(tmp_path / LABS)
    else:
        (tmp_path / LABS).rename(tmp_path / "elsewhere")
    lab.up()  # at once: it has other addresses, and its socket is not the one that the old Redis knows
    try:
        assert wait_until(lambda: not any(map(is_running, pids)), PATIENCE_S)
        assert lab.command("user", "ls").split() == ["romeo@montague.lit", "juliet@capulet.lit"]
        os.kill(lab.ps()["nodes"][0]["pid"], signal.SIGKILL)
        lab.until_running("redis", 1)
    finally:
        lab.down()
