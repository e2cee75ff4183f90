"""What the contract tests of the routers share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from cluster.redisio.keys import Keys
from tests.harness import ReactorThread, Valkey
from tests.ports.worlds import MemoryWorld, RedisWorld, World
from tests.valkey_cluster import ValkeyCluster

_labs = itertools.count()

Run = Callable[[Callable[[World], Coroutine[Deferred[Any], Any, None]]], None]


@pytest.fixture(params=["memory", "redis", "cluster"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a scenario in a network of montague.lit, capulet.lit and shakespeare.lit, with room for 50 batches."""
    if request.param == "memory":
        yield lambda scenario: MemoryWorld().run(scenario)
        return
    thread: ReactorThread = request.getfixturevalue("reactor_thread")
    valkey: Valkey | ValkeyCluster
    if request.param == "cluster":
        valkey, keys = request.getfixturevalue("valkey_cluster"), Keys.of_lab(f"test{next(_labs)}")
    else:
        valkey, keys = request.getfixturevalue("valkey"), request.getfixturevalue("keys")
    yield lambda scenario: RedisWorld(thread, valkey, keys).run(scenario)
