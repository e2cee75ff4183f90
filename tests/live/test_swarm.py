"""A topology as a stack, deployed to a swarm of one machine, with a Redis outside of it; by the engine's own tools."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from cluster.lab.folder import LABS, LabFolder
from cluster.lab.wait import wait_until
from loadtests.bench.ports import free_ports
from tests.live.engine import lacking, renamed
from tests.live.figure import PATIENCE_S, check_talk
from tests.live.outer_redis import outer_redis
from tests.live.running_lab import ROOT, RunningLab

pytestmark = [pytest.mark.live, pytest.mark.docker]


@pytest.fixture
def swarm(engine: docker.DockerClient) -> Iterator[docker.DockerClient]:
    """The engine of the tests as a swarm of one."""
    if engine.info()["Swarm"]["LocalNodeState"] != "inactive":
        lacking("an engine that is in no swarm yet")
    if shutil.which("docker") is None:
        lacking("the program docker: apt-get install docker.io")
    engine.swarm.init(advertise_addr="127.0.0.1")
    yield engine
    engine.swarm.leave(force=True)


@pytest.fixture
def redis_url(swarm: docker.DockerClient, tmp_path: Path) -> Iterator[str]:
    """A Redis on this machine, at an address that the swarm's containers reach, and nobody else."""
    assert wait_until(lambda: swarm.networks.list(names=["docker_gwbridge"]), PATIENCE_S)
    with outer_redis(swarm.networks.get("docker_gwbridge"), tmp_path) as url:
        yield url


def stack(*arguments: str) -> str:
    done = subprocess.run(["docker", "stack", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def lab(swarm: docker.DockerClient, redis_url: str, tmp_path: Path) -> Iterator[RunningLab]:
    """The figure of RFC 3920, deployed."""
    topology = renamed(ROOT / "topologies" / "rfc3920.yaml", tmp_path)
    [port] = free_ports(1)
    topology.write_text(f"{topology.read_text()}\ndefaults: {{c2s_port: {port}}}\n")
    lab = RunningLab(tmp_path, topology)
    folder = tmp_path / LABS / lab.name
    lab.command("export", "swarm", str(topology), "--redis", redis_url, "--into", str(folder))
    shown = stack("deploy", "-c", str(folder / "stack.yml"), lab.name)
    assert "Ignoring" not in shown  # a part of the file that this engine does not know
    yield lab
    assert f"lab {lab.name} is down" in lab.command("down")
    assert not folder.exists()
    assert not swarm.services.list(filters={"label": f"com.docker.stack.namespace={lab.name}"})
    mine = {"label": f"xmpplab.lab={lab.name}"}
    assert wait_until(lambda: not swarm.containers.list(all=True, filters=mine, ignore_removed=True), PATIENCE_S)
    assert wait_until(lambda: not swarm.networks.list(filters=mine), PATIENCE_S)
    for volume in swarm.volumes.list(filters=mine):  # a stack that is removed keeps its data
        volume.remove()


def unhealthy(swarm: docker.DockerClient, name: str) -> list[str]:
    """The services that do not answer (yet)."""
    services = swarm.services.list(filters={"label": f"com.docker.stack.namespace={name}"})
    names = {service.name.removeprefix(f"{name}_") for service in services} - {"announce"}
    filters = {"label": f"xmpplab.lab={name}", "health": "healthy"}
    return sorted(
        names - {one.labels["xmpplab.node"] for one in swarm.containers.list(filters=filters, ignore_removed=True)}
    )


def test_the_figure_in_a_swarm(swarm: docker.DockerClient, lab: RunningLab) -> None:
    assert wait_until(lambda: not unhealthy(swarm, lab.name), PATIENCE_S), unhealthy(swarm, lab.name)
    folder = LabFolder(lab.folder / LABS / lab.name)
    s1, s2 = folder.plan().servers
    check_talk(lab, s1.c2s, s2.c2s, str(folder.ca_file))
    assert "delivered" in lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")
    shown = json.loads(lab.command("ps", "--format", "json"))
    states = {node["name"]: node["state"] for node in shown["nodes"]}
    assert states == dict.fromkeys(("s1", "s2", "fn1", "g1"), "running")
