"""Fixtures of all tests."""

from __future__ import annotations

import gc
import itertools
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from cluster.redisio.keys import Keys
from tests.harness import ReactorThread, Valkey, start_valkey
from tests.valkey_cluster import ValkeyCluster
from tests.valkey_sentinel import ValkeySentinel

# a busy machine is no bug: only what an example does is judged, never how long it takes
settings.register_profile("xmpplab", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("xmpplab")


def pytest_configure() -> None:
    """Tests send signals to programs of theirs; one that this process was started to ignore, they would ignore too."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


WITH_ONE_LAB = ("tests/conformance/", "tests/live/web/")
"""Folders of short files that share a lab for the whole run, and a browser."""


class ByLab(LoadFileScheduling):
    """One worker has the tests of a file, or of a folder whose files share a lab."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return next((folder for folder in WITH_ONE_LAB if scope.startswith(folder)), scope)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByLab | None:
    return ByLab(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """What was imported and collected, a million objects, is no garbage: each full collection would go through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def reactor_thread() -> Iterator[ReactorThread]:
    """Runs coroutines on the real reactor."""
    thread = ReactorThread()
    yield thread
    thread.stop()


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """One real Valkey for all tests of this worker; each test has names of its own: see `keys`."""
    server = start_valkey()
    yield server
    server.close()


@pytest.fixture(scope="session")
def valkey_cluster() -> Iterator[ValkeyCluster]:
    """A real cluster of three masters for all tests of this worker."""
    cluster = ValkeyCluster()
    yield cluster
    cluster.close()


@pytest.fixture
def own_cluster() -> Iterator[ValkeyCluster]:
    """One whose masters the test may kill."""
    cluster = ValkeyCluster()
    yield cluster
    cluster.close()


@pytest.fixture
def own_sentinel() -> Iterator[ValkeySentinel]:
    """A real master with a replica, which the test may kill, and three Sentinels; all with passwords."""
    watched = ValkeySentinel("of-redis", "of-sentinels")
    yield watched
    watched.close()


_labs = itertools.count()


@pytest.fixture
def keys(valkey: Valkey) -> Iterator[Keys]:
    """The names of a lab that only this test knows; what it wrote is removed, and its users too."""
    mine = Keys.of_lab(f"test{next(_labs)}")
    yield mine
    for key in valkey.admin.scan_iter(f"{mine.prefix}:*", count=1000):
        valkey.admin.delete(key)
    for user in valkey.admin.acl_users():
        if user.startswith(mine.prefix):
            valkey.admin.acl_deluser(user)


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """A real Valkey that the test may kill."""
    server = start_valkey()
    yield server
    server.close()
