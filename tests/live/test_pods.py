"""The pods of an exported lab, with a Redis outside of them: a domain with two nodes, another one, a phone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import docker
import pytest

from cluster.lab.containers.health import PORT
from cluster.lab.wait import wait_until
from tests.live.engine import lacking, renamed
from tests.live.figure import PATIENCE_S, check_talk
from tests.live.outer_redis import outer_redis
from tests.live.pods import Pods, rendered
from tests.live.running_lab import ROOT, RunningLab

pytestmark = [pytest.mark.live, pytest.mark.docker]


@pytest.fixture
def network(engine: docker.DockerClient) -> Iterator[Any]:
    """A network, removed with all that is in it."""
    if shutil.which("kubectl") is None:
        lacking("kubectl, which has kustomize")
    made = engine.networks.create(f"xmpplab-pods-{os.getpid()}")
    yield made
    made.reload()
    for each in engine.containers.list(all=True, filters={"network": made.id}, ignore_removed=True):
        each.remove(force=True, v=True)
    made.remove()


@pytest.fixture
def redis_url(network: Any, tmp_path: Path) -> Iterator[str]:
    """A Redis at an address that the pods reach, and nobody else."""
    with outer_redis(network, tmp_path) as url:
        yield url


def address(container: Any) -> str:
    container.reload()
    [network] = container.attrs["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def is_ready(container: Any) -> bool:
    """As the kubelet asks."""
    with suppress(URLError, OSError), urlopen(f"http://{address(container)}:{PORT}/ready", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def test_the_pods_are_a_lab(engine: docker.DockerClient, network: Any, redis_url: str, tmp_path: Path) -> None:
    topology = renamed(ROOT / "topologies" / "rfc3920.yaml", tmp_path)
    topology.write_text(topology.read_text().replace("{domain: montague.lit}", "{domain: montague.lit, nodes: 2}"))
    lab = RunningLab(tmp_path, topology)
    folder = tmp_path / ".xmpplab" / lab.name
    lab.command("export", "k8s", str(topology), "--redis", redis_url, "--into", str(folder))
    (tmp_path / "secrets").mkdir()
    pods = Pods(engine, network, rendered(folder), tmp_path / "secrets")
    pods.run_jobs()
    running = pods.start()
    assert running.keys() == {"s1-1", "s1-2", "s2-1", "fn1-0", "g1-0"}

    def late() -> list[str]:
        return [name for name, container in running.items() if not is_ready(container)]

    assert wait_until(lambda: not late(), PATIENCE_S), {name: running[name].logs().decode() for name in late()}
    s1, s2 = (f"{address(running[name])}:5222" for name in ("s1-2", "s2-1"))
    check_talk(lab, s1, s2, str(folder / "ca.pem"))
    for container in running.values():
        container.stop()  # within the time that a pod has
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0
    assert f"lab {lab.name} was already down" in lab.command("down")
