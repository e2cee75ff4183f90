"""A lab for the tests that need one: brought up once per test process, in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest

from tests.live.engine import of_this_worker, running_engine
from tests.live.running_lab import ROOT, RunningLab


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """A Docker engine with the image of this tree; without one, the test is skipped."""
    client = running_engine()
    if isinstance(client, str):
        if os.environ.get("XMPPLAB_NEEDS_DOCKER"):
            pytest.fail(client)
        pytest.skip(client)
    yield client
    client.close()


@pytest.fixture(scope="session", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def verona(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The default lab, running, with each driver."""
    folder, topology = tmp_path_factory.mktemp("verona"), ROOT / "topologies" / "verona.yaml"
    if request.param == "docker":
        request.getfixturevalue("engine")
        topology = of_this_worker(topology, tmp_path_factory.mktemp("topology"))
    lab = RunningLab(folder, topology, request.param)
    lab.up()
    yield lab
    lab.down()
