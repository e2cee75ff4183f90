"""A gateway, and the message centre that it is connected to."""

from __future__ import annotations

import pytest

from tests.unit.gateways.sms.world import GatewayWorld, started


@pytest.fixture
def world() -> GatewayWorld:
    return GatewayWorld()


@pytest.fixture
def running(world: GatewayWorld) -> GatewayWorld:
    return started(world)
