"""The servers that the rules are tested against: ours, or a peer with `--servers prosody,ejabberd`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance import peers
from tests.conformance.eventing import Scene
from tests.conformance.ours import ours
from tests.conformance.peers import PEERS
from tests.conformance.report import Outcomes
from tests.conformance.site import Site
from tests.conformance.wire import Wire

PEER_PATIENCE_S = 2.0
"""A peer may say nothing where the rule wants an answer, and often: their tests wait less."""
SERVERS = ("ours", *PEERS)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--servers", default="ours", help=f"comma-separated, of {', '.join(SERVERS)}")
    parser.addoption("--write-peers", default="", help="write which rules each server keeps to this file")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--write-peers", "")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(path), "conformance-outcomes")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "_running" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--servers", "ours").split(",")
        params = [pytest.param(name, marks=[pytest.mark.peer] if name in PEERS else []) for name in chosen]
        metafunc.parametrize("_running", params, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.user_properties += [("rule", mark.args[0].key) for mark in item.iter_markers("rule")]
        if item.get_closest_marker("peer"):  # what is expected to fail is expected of ours only
            item.own_markers = [mark for mark in item.own_markers if mark.name != "xfail"]


@pytest.fixture(scope="session")
def _running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The servers, which all tests of this worker share."""
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    if name == "ours":
        with ours(folder) as started:
            yield started
        return
    if reason := peers.SERVERS[name].missing:
        pytest.skip(reason)
    with PEERS[name](folder) as started:
        started.warm_up()
        usual_s, Wire.patience_s = Wire.patience_s, PEER_PATIENCE_S
        yield started
        Wire.patience_s = usual_s


@pytest.fixture
def site(_running: Site) -> Iterator[Site]:
    """The servers; connections that a test makes end with it."""
    yield _running
    _running.close_clients()


@pytest.fixture
def scene(site: Site) -> Scene:
    """An account, its contact and a stranger, of publish-subscribe."""
    return Scene(site)
