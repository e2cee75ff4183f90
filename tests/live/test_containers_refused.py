"""What cannot be brought up in containers: a message with the remedy, an exit code, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from cluster.lab.api import Lab
from cluster.lab.containers.engine import connected
from cluster.lab.errors import LabError
from cluster.lab.folder import LABS, LabFolder
from cluster.lab.plans import read_plans
from tests.live.engine import left, open_sockets_forgiven
from tests.live.running_lab import ROOT, RunningLab

pytestmark = [pytest.mark.live, pytest.mark.docker]
TWO_DOMAINS = ROOT / "topologies" / "two-domains.yaml"
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can mount, and be somebody else")


@pytest.fixture
def lab(contained: RunningLab) -> RunningLab:
    """Not up yet."""
    return contained


def up(lab: RunningLab, exit_code: int = 0, topology: Path | None = None) -> str:
    """What `up` prints."""
    return lab.command("up", str(topology or lab.topology), "-d", "--driver", "docker", exit_code=exit_code)


def test_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    shown = up(RunningLab(tmp_path, TWO_DOMAINS), 1)
    assert "no Docker engine answers" in shown
    assert "leave --driver docker out" in shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("engine")
def test_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.lab.containers.engine.IMAGE", "xmpplab-that-nobody-built")
    plans = read_plans(TWO_DOMAINS, tmp_path)
    with pytest.raises(LabError, match="make image"):
        Lab.of_plan(plans[0]).up(plans, "docker")
    assert list(tmp_path.iterdir()) == []


def test_addresses_that_are_taken_are_left_alone(lab: RunningLab) -> None:
    first = read_plans(lab.topology, lab.folder)[0].servers[1]
    with socket.create_server((first.host, first.c2s_port)):
        lab.up()
        assert lab.node("capulet.lit")["c2s"] != first.c2s


def test_another_lab_of_that_name(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> None:
    lab.up()
    other = RunningLab(tmp_path_factory.mktemp("other"), lab.topology, "docker")
    shown = up(other, 1)
    assert str(lab.folder) in shown
    assert "run `xmpplab down` there" in shown
    assert list(other.folder.iterdir()) == []
    lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")


def test_another_driver_or_topology_while_it_runs(lab: RunningLab, tmp_path: Path) -> None:
    lab.up()
    assert "xmpplab down" in lab.command("up", str(lab.topology), "-d", exit_code=1)
    other = tmp_path / "other.yaml"
    other.write_text(lab.topology.read_text().replace("capulet.lit", "denmark.lit"))
    assert "xmpplab down" in up(lab, 1, other)
    lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")


def test_a_compose_file_that_was_changed(lab: RunningLab) -> None:
    lab.up()
    file = lab.folder / LABS / lab.name / "compose.yml"
    file.write_text(file.read_text().replace("read_only: true", "read_only: false"))
    assert "was edited" in up(lab, 1)
    lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")


@needs_root
@pytest.mark.usefixtures("engine")
def test_without_permission(tmp_path: Path) -> None:
    nobody = 65534
    os.seteuid(nobody)  # in this process: an interpreter of root's may not be readable to anybody else
    try:
        with open_sockets_forgiven(), pytest.raises(LabError, match="no permission to use the Docker engine"):
            connected(LabFolder(tmp_path)).__enter__()
    finally:
        os.seteuid(0)


def test_a_port_that_another_program_has_everywhere(lab: RunningLab) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taker:
        port = taker.getsockname()[1]
        lab.topology.write_text(f"{lab.topology.read_text()}\ndefaults: {{c2s_port: {port}}}\n")
        shown = up(lab, 1)
    assert f"port {port} at the other addresses that were tried" in shown
    assert "ss -ltnp" in shown
    assert list(lab.folder.iterdir()) == []


def test_a_port_that_is_taken_at_the_last_moment(
    lab: RunningLab, engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After we looked whether it is free: the engine refuses it, when half of the lab is there already."""
    plans = read_plans(lab.topology, lab.folder)[:1]
    monkeypatch.setattr("cluster.lab.containers.driver.first_free", lambda plans: plans[0])
    second = plans[0].servers[1]
    with (
        socket.create_server((second.host, second.c2s_port)),
        pytest.raises(LabError, match=r"another program has the port; find it with `ss -ltnp`"),
    ):
        Lab.of_plan(plans[0]).up(plans, "docker")
    assert left(engine, lab.folder) == []
    assert list(lab.folder.iterdir()) == []


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Only so much fits into the folder."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@needs_root
@pytest.mark.parametrize("size", ["4k", "16k", "64k"])
def test_a_disk_that_is_full(lab: RunningLab, engine: docker.DockerClient, size: str) -> None:
    with small_disk(lab.folder, size):
        shown = up(lab, 1)
        assert "No space left on device" in shown
        assert "free some space" in shown
        assert list(lab.folder.iterdir()) == []
    assert left(engine, lab.folder) == []


@pytest.mark.usefixtures("engine")
def test_a_folder_without_write_permission(lab: RunningLab) -> None:
    with small_disk(lab.folder, "1M"):
        subprocess.run(["mount", "-o", "remount,ro", str(lab.folder)], check=True)
        assert "go to a folder that you may write to" in up(lab, 1)
