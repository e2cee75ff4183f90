"""The exported compose file alone: brought up, cut, healed and taken down by docker's programs, without our command."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from cluster.lab.containers.export import compose_file
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.clients import RealClient
from tests.live.engine import lacking, renamed
from tests.live.running_lab import ROOT, RunningLab

pytestmark = [pytest.mark.live, pytest.mark.docker]
HOST = f"127.{os.getpid() >> 8 & 127 | 128}.{os.getpid() & 255}.1"
"""In place of 127.0.0.1, whose ports may be somebody's."""


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}\n{done.stderr}"
    return done.stdout


def compose() -> list[str]:
    """The program, whichever there is."""
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    if not shutil.which("docker-compose"):
        lacking("docker compose: apt-get install docker-compose")
    return ["docker-compose"]


def left(engine: docker.DockerClient, name: str) -> list[str]:
    mine = {"label": f"xmpplab.lab={name}"}
    found: list[Any] = engine.containers.list(all=True, filters=mine, ignore_removed=True)
    found += [*engine.networks.list(filters=mine), *engine.volumes.list(filters=mine)]
    return [one.name for one in found]


@pytest.fixture
def lab(engine: docker.DockerClient, tmp_path: Path) -> Iterator[RunningLab]:
    """Brought up from the file as its head says. Nothing is left of it by `down -v`."""
    topology = renamed(ROOT / "topologies" / "two-domains.yaml", tmp_path)
    lab = RunningLab(tmp_path, topology)
    file = tmp_path / "compose.yml"
    file.write_text(compose_file(topology).replace("127.0.0.1:", f"{HOST}:"))
    command = [*compose(), "-p", f"xmpplab-{lab.name}", "-f", str(file)]
    try:
        run(*command, "up", "-d")
        yield lab
    finally:
        run(*command, "down", "-v")
    assert left(engine, lab.name) == []


def test_it_needs_nothing_but_the_image(lab: RunningLab) -> None:
    ca_file = lab.folder / "ca.pem"
    run("docker", "cp", f"{lab.on_engine('setup')}:/state/.xmpplab/{lab.name}/ca.pem", str(ca_file))
    assert f"montague.lit: {HOST}:5222" in (lab.folder / "compose.yml").read_text()

    def is_healthy(node: str) -> bool:
        return run("docker", "inspect", "-f", "{{.State.Health.Status}}", lab.on_engine(node)).strip() == "healthy"

    assert wait_until(lambda: is_healthy("s1") and is_healthy("s2"), PATIENCE_S)
    with (
        RealClient("romeo@montague.lit/pda", "secret", f"{HOST}:5222", str(ca_file)) as romeo,
        RealClient("juliet@capulet.lit/balcony", "secret", f"{HOST}:5232", str(ca_file)) as juliet,
    ):
        romeo.see("session")
        juliet.see("session")
        link = (lab.on_engine("s1.router"), lab.on_engine("s1"))
        run("docker", "network", "disconnect", *link)
        romeo.do("message", to="juliet@capulet.lit/balcony", body="there?")
        romeo.do("ping", to="montague.lit")
        romeo.see("pong")
        assert juliet.unseen("message") == []
        run("docker", "network", "connect", *link)
        juliet.see("message", body="there?")
