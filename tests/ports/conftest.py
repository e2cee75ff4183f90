"""What the contract tests of the routers share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from cluster.redisio.keys import Keys
from tests.harness import ReactorThread, Valkey
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import MemoryWorld, RedisWorld, World
from tests.valkey_cluster import ValkeyCluster

_labs = itertools.count()

Run = Callable[[Callable[[World], Coroutine[Deferred[Any], Any, None]]], None]


@pytest.fixture(params=["memory", "redis", "cluster", "s2s", "s2s both ways"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a scenario in a network of montague.lit, capulet.lit and shakespeare.lit, with room for 50 batches."""
    yield from _run(request)


@pytest.fixture(params=["memory", "redis", "cluster"])
def run_queued(request: pytest.FixtureRequest) -> Iterator[Run]:
    """The same where a queue between the domains keeps what was sent, whatever becomes of either."""
    yield from _run(request)


def _run(request: pytest.FixtureRequest) -> Iterator[Run]:
    if request.param == "memory":
        yield lambda scenario: MemoryWorld().run(scenario)
        return
    if request.param.startswith("s2s"):
        yield lambda scenario: S2sWorld(both_ways=request.param == "s2s both ways").run(scenario)
        return
    thread, valkey, keys = store(request)
    yield lambda scenario: RedisWorld(thread, valkey, keys).run(scenario)


def store(request: pytest.FixtureRequest) -> tuple[ReactorThread, Valkey | ValkeyCluster, Keys]:
    """A reactor, a real Valkey or a real cluster (if the fixture's parameter is that), and the names of a new lab."""
    thread: ReactorThread = request.getfixturevalue("reactor_thread")
    if request.param == "cluster":
        return thread, request.getfixturevalue("valkey_cluster"), Keys.of_lab(f"test{next(_labs)}")
    return thread, request.getfixturevalue("valkey"), request.getfixturevalue("keys")
