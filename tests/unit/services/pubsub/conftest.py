"""The fixtures of the tests of a publish-subscribe service."""

from __future__ import annotations

import pytest

from tests.pubsub import Asked
from tests.unit.services.pubsub.stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def ask(stage: Stage) -> Asked:
    return stage.ask
