"""A lab in containers, on a real Docker engine, by its command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from cluster.lab import driver
from cluster.lab.containers.engine import STATE, connected
from cluster.lab.errors import LabError
from cluster.lab.folder import LABS, LabFolder
from cluster.lab.plans import read_plans
from cluster.lab.wait import wait_until
from tests.live.engine import lab_name, of_this_worker, open_sockets_forgiven
from tests.live.running_lab import ROOT, XMPPLAB, RunningLab

pytestmark = [pytest.mark.live, pytest.mark.docker]
TWO_DOMAINS = ROOT / "topologies" / "two-domains.yaml"
NAME = lab_name("two-domains")
PREFIX = f"xmpplab-{NAME}-"
PATIENCE_S = 60.0


@pytest.fixture
def topology(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two domains."""
    return of_this_worker(TWO_DOMAINS, tmp_path_factory.mktemp("topology"))


@pytest.fixture
def lab(engine: docker.DockerClient, tmp_path: Path, topology: Path) -> Iterator[RunningLab]:
    """Not up yet. Nothing may be left of it."""
    lab = RunningLab(tmp_path, topology, "docker")
    yield lab
    if (tmp_path / LABS).exists():
        lab.down()
    assert left(engine, tmp_path) == []


def up(lab: RunningLab, exit_code: int = 0, topology: Path | None = None) -> str:
    """What `up` prints."""
    return lab.command("up", str(topology or lab.topology), "-d", "--driver", "docker", exit_code=exit_code)


def left(engine: docker.DockerClient, folder: Path) -> list[str]:
    """What is on the engine of the lab in this folder."""
    mine = {"label": f"{STATE}={folder / LABS / NAME}"}
    containers = engine.containers.list(all=True, filters=mine)
    return [one.name for one in (*containers, *engine.networks.list(filters=mine))]


def test_up_ps_trace_logs_and_down(lab: RunningLab) -> None:
    lab.up()
    nodes = lab.ps()["nodes"]
    assert [(node["name"], node["kind"], node["state"], node["restarts"]) for node in nodes] == [
        ("redis", "redis", "running", 0),
        ("s1", "server", "running", 0),
        ("s2", "server", "running", 0),
    ]
    assert "delivered" in lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")
    assert "Serves montague.lit" in lab.command("logs", "s1")
    assert "Serves capulet.lit" not in lab.command("logs", "s1")
    assert "there is: redis, s1, s2" in lab.command("logs", "s9", exit_code=2)
    assert "is up already" in up(lab)
    assert [node["pid"] for node in lab.ps()["nodes"]] == [node["pid"] for node in nodes]
    lab.down()
    assert list(lab.folder.iterdir()) == []


def test_a_container_may_do_little(lab: RunningLab, engine: docker.DockerClient) -> None:
    lab.up()
    s1 = engine.containers.get(f"{PREFIX}s1")
    assert s1.exec_run(["id", "-u"]).output.strip() != b"0"
    assert s1.exec_run(["touch", "/opt/xmpplab/x"]).exit_code != 0
    assert s1.exec_run(["touch", "/lab/x"]).exit_code != 0
    # its own secrets and nobody else's
    shown = s1.exec_run(["cat", "/lab/secrets.json"]).output
    assert b"montague.lit" in shown
    assert b"capulet.lit" not in shown
    assert s1.exec_run(["ls", "/lab"]).output.split() == [
        b"ca.pem",
        b"plan.json",
        b"s1.key",
        b"s1.pem",
        b"secrets.json",
    ]


def test_healthy_means_that_it_answers(lab: RunningLab, engine: docker.DockerClient) -> None:
    lab.up()
    health = ["python", "-m", "cluster.lab.containers.health"]
    for node in ("redis", "s1", "s2"):
        assert engine.containers.get(f"{PREFIX}{node}").exec_run(health).exit_code == 0
    s1 = engine.containers.get(f"{PREFIX}s1")
    assert s1.exec_run(["sh", "-c", "kill -STOP -1"]).exit_code == 0
    assert s1.exec_run(health).exit_code == 1


def test_a_domain_resolves_by_its_name(lab: RunningLab, engine: docker.DockerClient) -> None:
    lab.up()
    connect = "import socket; socket.create_connection(('capulet.lit', 5222), 5).close()"
    engine.containers.run("xmpplab", ["python", "-c", connect], network=f"{PREFIX}clients", remove=True)


def test_disturbing_a_node(lab: RunningLab) -> None:
    lab.up()
    lab.command("kill", "s1")
    node = lab.node("montague.lit")
    assert (node["restarts"], node["last_exit"], node["state"]) == (1, "signal SIGKILL", "running")
    lab.command("kill", "s1", "--for", "300ms")
    assert lab.node("montague.lit")["state"] == "running"
    assert "write a number and its unit" in lab.command("kill", "s1", "--for", "3", exit_code=2)
    lab.command("pause", "s2")
    assert lab.node("capulet.lit")["state"] == "paused"
    assert "s2 is paused" in lab.command("restart", "s2", exit_code=1)
    lab.command("resume", "s2")
    lab.command("restart", "s2")
    lab.command("kill", "redis")
    assert wait_until(lambda: [n["sessions"] for n in lab.ps()["nodes"]] == [None, 0, 0], PATIENCE_S)  # all back
    lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")
    assert "there is: redis, s1, s2" in lab.command("kill", "s9", exit_code=2)


@pytest.mark.parametrize("is_noticed", [False, True])
def test_a_cut_link_loses_nothing(lab: RunningLab, engine: docker.DockerClient, is_noticed: bool) -> None:
    lab.up()
    link = engine.networks.get(f"{PREFIX}s1.router")
    with lab.client("romeo@montague.lit/pda") as romeo, lab.client("juliet@capulet.lit/balcony") as juliet:
        romeo.see("session")
        juliet.see("session")
        link.disconnect(f"{PREFIX}s1")
        romeo.do("message", to="juliet@capulet.lit/balcony", body="there?")
        juliet.do("message", to="romeo@montague.lit/pda", body="here!")
        romeo.do("ping", to="montague.lit")
        romeo.see("pong")  # his own server is still there for him
        if is_noticed:
            assert wait_until(lambda: "Lost the connection to Redis" in lab.command("logs", "s1"), PATIENCE_S)
        assert juliet.unseen("message") == []
        link.connect(f"{PREFIX}s1")
        romeo.see("message", body="here!")
        juliet.see("message", body="there?")


@pytest.mark.usefixtures("engine")
def test_the_gateways(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    topology = of_this_worker(ROOT / "topologies" / "rfc3920.yaml", tmp_path_factory.mktemp("topology"))
    lab = RunningLab(tmp_path, topology, "docker")
    lab.up()
    try:
        with lab.client("romeo@montague.lit/pda") as romeo:
            romeo.see("session")
            romeo.do("message", to="+393331234567@sms.montague.lit", body="But, soft!")
            assert wait_until(lambda: "But, soft!" in lab.command("phone", "fc1", "inbox"), PATIENCE_S)
        lab.command("kill", "fn1")
        lab.command("kill", "g1")
    finally:
        lab.down()


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
        driver.up(LabFolder(Path(plans[0].state_dir)), plans, "docker")
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
    file = lab.folder / LABS / NAME / "compose.yml"
    file.write_text(file.read_text().replace("read_only: true", "read_only: false"))
    assert "was changed by hand" in up(lab, 1)
    lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_start(lab: RunningLab, engine: docker.DockerClient, number: signal.Signals) -> None:
    with subprocess.Popen(
        [XMPPLAB, "up", str(lab.topology), "-d", "--driver", "docker"], cwd=lab.folder, stderr=subprocess.DEVNULL
    ) as command:
        assert wait_until(lambda: f"{PREFIX}redis" in left(engine, lab.folder), PATIENCE_S)
        command.send_signal(number)
        command.wait(PATIENCE_S)
    if number == signal.SIGINT:
        assert list(lab.folder.iterdir()) == []
        assert left(engine, lab.folder) == []
    else:
        lab.up()
        lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")


def test_down_removes_what_it_made_and_nothing_else(lab: RunningLab, engine: docker.DockerClient) -> None:
    lab.up()
    stranger: Any = engine.containers.run("xmpplab", ["sleep", "600"], network=f"{PREFIX}clients", detach=True)
    try:
        lab.down()
        stranger.reload()
        assert stranger.status == "running"
    finally:
        stranger.remove(force=True)


def test_kept_data_are_there_again(lab: RunningLab) -> None:
    lab.up()
    lab.command("user", "add", "rosaline@capulet.lit", "--password", "secret")
    lab.command("down", "--keep")
    lab.up()
    assert "rosaline@capulet.lit" in lab.command("user", "ls")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
@pytest.mark.usefixtures("engine")
def test_without_permission(tmp_path: Path) -> None:
    nobody = 65534
    os.seteuid(nobody)  # in this process: an interpreter of root's may not be readable to anybody else
    try:
        with open_sockets_forgiven(), pytest.raises(LabError, match="no permission to use the Docker engine"):
            connected(LabFolder(tmp_path)).__enter__()
    finally:
        os.seteuid(0)
