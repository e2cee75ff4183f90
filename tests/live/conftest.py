"""A lab for the tests that need one, brought up once per test process in a folder of its own; or one of its parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest

from cluster.lab.folder import LABS
from tests.harness import ReactorThread
from tests.live.engine import lacking, left, renamed, running_engine
from tests.live.mail_gateway import Gateway
from tests.live.message_centre import Centre
from tests.live.running_lab import ROOT, RunningLab


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """A Docker engine with the image of this tree; without one, the test is skipped."""
    client = running_engine()
    if isinstance(client, str):
        lacking(client)
    yield client
    client.close()


@pytest.fixture
def contained(engine: docker.DockerClient, tmp_path: Path) -> Iterator[RunningLab]:
    """Two domains in containers, not up yet. Nothing may be left of it."""
    folder = tmp_path / "lab"
    folder.mkdir()
    lab = RunningLab(folder, renamed(ROOT / "topologies" / "two-domains.yaml", tmp_path), "docker")
    yield lab
    if (folder / LABS).exists():
        lab.down()
    assert left(engine, folder) == []


@pytest.fixture
def stage() -> Iterator[ExitStack]:
    """What is entered here ends with the test."""
    with ExitStack() as stack:
        yield stack


DRIVERS = ("process", pytest.param("docker", marks=pytest.mark.docker))


def running(request: pytest.FixtureRequest, name: str) -> Iterator[RunningLab]:
    """The lab of topologies/NAME.yaml, running; the parameter of the fixture is the driver."""
    folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    topology = ROOT / "topologies" / f"{name}.yaml"
    if request.param == "docker":
        request.getfixturevalue("engine")
        topology = renamed(topology, folders.mktemp("topology"))
    yield from RunningLab(folders.mktemp(name), topology, request.param).while_up()


@pytest.fixture(scope="session", params=DRIVERS)
def verona(request: pytest.FixtureRequest) -> Iterator[RunningLab]:
    """The default lab, with each driver."""
    yield from running(request, "verona")


@pytest.fixture(scope="module", params=DRIVERS)
def rfc3920(request: pytest.FixtureRequest) -> Iterator[RunningLab]:
    """The figure of RFC 3920, exactly, with each driver."""
    yield from running(request, "rfc3920")


@pytest.fixture(scope="module", params=DRIVERS)
def gateways(request: pytest.FixtureRequest) -> Iterator[RunningLab]:
    """All kinds of gateways, with each driver."""
    yield from running(request, "gateways")


@pytest.fixture
def centre(reactor_thread: ReactorThread) -> Iterator[Centre]:
    """The lab's message centre, and nothing else of a lab."""
    centre = Centre(reactor_thread)
    yield centre
    centre.stop()


@pytest.fixture
def gateway(reactor_thread: ReactorThread) -> Iterator[Gateway]:
    """The mail gateway, and nothing else of a lab."""
    gateway = Gateway(reactor_thread)
    yield gateway
    gateway.close()
