"""Fixtures of the tests of the modules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.network import Network, watched_log


@pytest.fixture
def network() -> Iterator[Network]:
    """montague.lit and capulet.lit with all modules; a failure that a server logs fails the test."""
    with watched_log() as failures:
        yield Network()
    assert not failures
