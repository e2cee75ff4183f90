"""A topology as a stack, deployed to a swarm of one machine and of two, with a Redis outside; by the engine's tools."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from cluster.lab.folder import LABS, LabFolder
from cluster.lab.wait import wait_until
from loadtests.bench.ports import free_ports
from tests.live.clients import RealClient
from tests.live.engine import lacking, renamed
from tests.live.figure import PATIENCE_S, check_talk
from tests.live.outer_redis import outer_redis
from tests.live.running_lab import ROOT, RunningLab
from tests.live.second_engine import FIRST, SECOND, SecondEngine, second_engine

pytestmark = [pytest.mark.live, pytest.mark.docker]

THREE = """\
name: three
defaults: {{c2s_port: {port}}}
servers: {{s1: {{domain: montague.lit}}, s2: {{domain: capulet.lit}}, s3: {{domain: shakespeare.lit}}}}
accounts: {{a@montague.lit: {{}}, a@capulet.lit: {{}}, a@shakespeare.lit: {{}}}}
"""


@contextmanager
def managing(engine: docker.DockerClient, address: str) -> Iterator[None]:
    """The engine of the tests begins a swarm, which ends with it."""
    if engine.info()["Swarm"]["LocalNodeState"] != "inactive":
        lacking("an engine that is in no swarm yet")
    if shutil.which("docker") is None:
        lacking("the program docker: apt-get install docker.io")
    engine.swarm.init(advertise_addr=address)
    yield
    engine.swarm.leave(force=True)


@pytest.fixture
def swarm(engine: docker.DockerClient) -> Iterator[docker.DockerClient]:
    """The engine of the tests as a swarm of one."""
    with managing(engine, "127.0.0.1"):
        yield engine


def states(manager: docker.DockerClient) -> list[str]:
    """Of the machines of its swarm."""
    return [machine.attrs["Status"]["State"] for machine in manager.nodes.list()]


@pytest.fixture
def second(engine: docker.DockerClient) -> Iterator[SecondEngine]:
    """A second machine, in the swarm of the first."""
    with second_engine(engine) as machine, managing(engine, FIRST):
        token = engine.swarm.attrs["JoinTokens"]["Worker"]
        machine.client.swarm.join([f"{FIRST}:2377"], token, advertise_addr=SECOND)
        # nothing is placed on a machine that is not ready yet, and nothing moves to it later
        assert wait_until(lambda: states(engine) == ["ready", "ready"], PATIENCE_S)
        yield machine


@contextmanager
def redis_url(engine: docker.DockerClient, folder: Path) -> Iterator[str]:
    """A Redis on this machine, at an address that the swarm's containers reach, and nobody else."""
    assert wait_until(lambda: engine.networks.list(names=["docker_gwbridge"]), PATIENCE_S)
    with outer_redis(engine.networks.get("docker_gwbridge"), folder) as url:
        yield url


def stack(*arguments: str) -> str:
    done = subprocess.run(["docker", "stack", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def deployed(engine: docker.DockerClient, topology: Path) -> Iterator[RunningLab]:
    """The lab of this topology; nothing is left of it."""
    lab = RunningLab(topology.parent, topology)
    folder = topology.parent / LABS / lab.name
    with redis_url(engine, topology.parent) as url:
        lab.command("export", "swarm", str(topology), "--redis", url, "--into", str(folder))
        shown = stack("deploy", "-c", str(folder / "stack.yml"), lab.name)
        assert "Ignoring" not in shown  # a part of the file that this engine does not know
        yield lab
        assert f"lab {lab.name} is down" in lab.command("down")
    assert not folder.exists()
    assert not engine.services.list(filters={"label": f"com.docker.stack.namespace={lab.name}"})
    mine = {"label": f"xmpplab.lab={lab.name}"}
    assert wait_until(lambda: not engine.containers.list(all=True, filters=mine, ignore_removed=True), PATIENCE_S)
    assert wait_until(lambda: not engine.networks.list(filters=mine), PATIENCE_S)
    for volume in engine.volumes.list(filters=mine):  # a stack that is removed keeps its data
        volume.remove()


def healthy(engine: docker.DockerClient, name: str) -> set[str]:
    """The nodes that answer, in containers of this engine."""
    filters = {"label": f"xmpplab.lab={name}", "health": "healthy"}
    return {one.labels["xmpplab.node"] for one in engine.containers.list(filters=filters, ignore_removed=True)}


def test_the_figure_in_a_swarm(swarm: docker.DockerClient, tmp_path: Path) -> None:
    topology = renamed(ROOT / "topologies" / "rfc3920.yaml", tmp_path)
    [port] = free_ports(1)
    topology.write_text(f"{topology.read_text()}\ndefaults: {{c2s_port: {port}}}\n")
    with deployed(swarm, topology) as lab:
        assert wait_until(lambda: healthy(swarm, lab.name) == {"s1", "s2", "fn1", "g1"}, PATIENCE_S)
        folder = LabFolder(lab.folder / LABS / lab.name)
        s1, s2 = folder.plan().servers
        check_talk(lab, s1.c2s, s2.c2s, str(folder.ca_file))
        assert "delivered" in lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit")
        shown = json.loads(lab.command("ps", "--format", "json"))
        states = {node["name"]: node["state"] for node in shown["nodes"]}
        assert states == dict.fromkeys(("s1", "s2", "fn1", "g1"), "running")
        elsewhere = RunningLab(ROOT, topology)
        assert {"name": lab.name, "state": "up", "state_dir": str(folder.path)} in json.loads(
            elsewhere.command("ls", "--format", "json")
        )


def test_a_machine_of_two_that_dies_loses_nothing(
    engine: docker.DockerClient, second: SecondEngine, tmp_path: Path
) -> None:
    """Its servers start again on the other machine; what was sent to them meanwhile has waited in Redis."""
    [port] = free_ports(1)
    topology = tmp_path / "three.yaml"
    topology.write_text(THREE.format(port=port))
    topology = renamed(topology, tmp_path)
    with deployed(engine, topology) as lab:
        both = (engine, second.client)
        assert wait_until(
            lambda: set().union(*(healthy(each, lab.name) for each in both)) == {"s1", "s2", "s3"}, PATIENCE_S
        )
        folder = LabFolder(lab.folder / LABS / lab.name)
        here, there = (next(s for s in folder.plan().servers if s.name in healthy(each, lab.name)) for each in both)
        ca_file = str(folder.ca_file)
        with RealClient(f"a@{here.domain}/x", "secret", here.c2s, ca_file) as sender:
            sender.see("session")
            second.kill()
            for number in range(20):
                sender.do("message", to=f"a@{there.domain}", body=str(number))
            assert wait_until(lambda: healthy(engine, lab.name) == {"s1", "s2", "s3"}, PATIENCE_S)
            with RealClient(f"a@{there.domain}/x", "secret", there.c2s, ca_file) as receiver:
                receiver.see("session")
                receiver.do("presence")
                assert [receiver.see("message")["body"] for _ in range(20)] == [str(number) for number in range(20)]
            assert sender.unseen("message") == []
