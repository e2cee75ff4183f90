"""A lab in containers, on a real Docker engine, by its command."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

import docker
import pytest

from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.engine import left
from tests.live.running_lab import XMPPLAB, RunningLab

pytestmark = [pytest.mark.live, pytest.mark.docker]


@pytest.fixture
def lab(contained: RunningLab) -> RunningLab:
    """Not up yet."""
    return contained


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
    assert "(nodes: redis, s1, s2)" in lab.command("logs", "s9", exit_code=2)
    assert "is up already" in lab.command("up", str(lab.topology), "-d", "--driver", "docker")
    assert [node["pid"] for node in lab.ps()["nodes"]] == [node["pid"] for node in nodes]
    lab.down()
    assert list(lab.folder.iterdir()) == []


def test_a_container_may_do_little(lab: RunningLab, engine: docker.DockerClient) -> None:
    lab.up()
    s1 = engine.containers.get(lab.on_engine("s1"))
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
        assert engine.containers.get(lab.on_engine(node)).exec_run(health).exit_code == 0
    s1 = engine.containers.get(lab.on_engine("s1"))
    assert s1.exec_run(["sh", "-c", "kill -STOP -1"]).exit_code == 0
    assert s1.exec_run(health).exit_code == 1


def test_a_domain_resolves_by_its_name(lab: RunningLab, engine: docker.DockerClient) -> None:
    lab.up()
    connect = "import socket; socket.create_connection(('capulet.lit', 5222), 5).close()"
    engine.containers.run("xmpplab", ["python", "-c", connect], network=lab.on_engine("clients"), remove=True)


def test_disturbing_a_node(lab: RunningLab) -> None:
    lab.up()
    lab.command("kill", "s1")
    node = lab.node("montague.lit")
    assert (node["restarts"], node["last_exit"], node["state"]) == (1, "signal SIGKILL", "running")
    lab.command("kill", "s1", "--for", "300ms")
    assert lab.node("montague.lit")["state"] == "running"
    assert "write a time such as" in lab.command("kill", "s1", "--for", "3", exit_code=2)
    lab.command("pause", "s2")
    assert lab.node("capulet.lit")["state"] == "paused"
    assert "s2: it is paused" in lab.command("restart", "s2", exit_code=1)
    lab.command("resume", "s2")
    lab.command("restart", "s2")
    lab.command("kill", "redis")
    assert wait_until(lambda: [n["sessions"] for n in lab.ps()["nodes"]] == [None, 0, 0], PATIENCE_S)  # all back
    lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")
    assert "(nodes: redis, s1, s2)" in lab.command("kill", "s9", exit_code=2)


@pytest.mark.parametrize("is_noticed", [False, True])
def test_a_cut_link_loses_nothing(lab: RunningLab, engine: docker.DockerClient, is_noticed: bool) -> None:
    lab.up()
    link = engine.networks.get(lab.on_engine("s1.router"))
    with lab.client("romeo@montague.lit/pda") as romeo, lab.client("juliet@capulet.lit/balcony") as juliet:
        romeo.see("session")
        juliet.see("session")
        link.disconnect(lab.on_engine("s1"))
        romeo.do("message", to="juliet@capulet.lit/balcony", body="there?")
        juliet.do("message", to="romeo@montague.lit/pda", body="here!")
        romeo.do("ping", to="montague.lit")
        romeo.see("pong")  # his own server is still there for him
        if is_noticed:
            assert wait_until(lambda: "Lost the connection to Redis" in lab.command("logs", "s1"), PATIENCE_S)
        assert juliet.unseen("message") == []
        link.connect(lab.on_engine("s1"))
        romeo.see("message", body="here!")
        juliet.see("message", body="there?")


def interrupt(lab: RunningLab, engine: docker.DockerClient, part: str, number: signal.Signals) -> None:
    """Bring the lab up, and end that command when a part of it is there."""
    with subprocess.Popen(
        [XMPPLAB, "up", str(lab.topology), "-d", "--driver", "docker"], cwd=lab.folder, stderr=subprocess.DEVNULL
    ) as command:
        assert wait_until(lambda: lab.on_engine(part) in left(engine, lab.folder), PATIENCE_S)
        command.send_signal(number)
        command.wait(PATIENCE_S)


@pytest.mark.parametrize("part", ["redis", "s1.router", "s1"])
def test_an_interrupted_start_leaves_nothing(lab: RunningLab, engine: docker.DockerClient, part: str) -> None:
    """Nor does the engine make, after that, what it was asked for before: networks, Redis, or the servers."""
    interrupt(lab, engine, part, signal.SIGINT)
    assert list(lab.folder.iterdir()) == []
    assert left(engine, lab.folder) == []


def test_a_start_that_was_killed_is_begun_again(lab: RunningLab, engine: docker.DockerClient) -> None:
    interrupt(lab, engine, "redis", signal.SIGKILL)
    lab.up()
    lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")


def test_down_removes_what_it_made_and_nothing_else(lab: RunningLab, engine: docker.DockerClient) -> None:
    lab.up()
    stranger: Any = engine.containers.run("xmpplab", ["sleep", "600"], network=lab.on_engine("clients"), detach=True)
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
