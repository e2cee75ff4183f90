"""A message centre and what is around it, not started yet."""

from __future__ import annotations

import pytest

from tests.unit.gateways.sms.world import World


@pytest.fixture
def world() -> World:
    return World()
