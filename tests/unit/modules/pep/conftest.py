"""The fixtures of the tests of personal eventing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client import Client
from tests.network import Network, watched_log
from tests.pubsub import Asked
from tests.unit.modules.pep.people import JULIET, NURSE, ROMEO


@pytest.fixture
def network() -> Iterator[Network]:
    """Juliet and Romeo see each other, and so do Juliet and the nurse, of her own domain."""
    network = Network()
    network.friends(JULIET, ROMEO)
    network.friends(JULIET, NURSE)
    with watched_log() as failures:
        yield network
    assert not failures


@pytest.fixture
def juliet(network: Network) -> Client:
    return network.online(f"{JULIET}/balcony")


@pytest.fixture
def ask(network: Network) -> Asked:
    return Asked(network)
