"""Routers on a real Redis."""

from __future__ import annotations

import pytest

from cluster.redisio.keys import Keys
from tests.harness import ReactorThread, Valkey
from tests.ports.worlds import RedisWorld

KEYS = Keys.of_lab("own")


@pytest.fixture
def world(reactor_thread: ReactorThread, valkey: Valkey, keys: Keys) -> RedisWorld:
    return RedisWorld(reactor_thread, valkey, keys)


@pytest.fixture
def own_world(reactor_thread: ReactorThread, own_valkey: Valkey) -> RedisWorld:
    """With a Valkey that may be killed."""
    world = RedisWorld(reactor_thread, own_valkey, KEYS)
    world.max_backlog = 10_000  # who reads may be back later than who writes
    return world
