"""A mail gateway that writes to a host of which a test decides the replies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import Client
from tests.unit.gateways.mail.scripted_host import ScriptedHost, scripted, watched
from tests.unit.gateways.mail.world import MailNetwork


@pytest.fixture
def network(tmp_path: Path) -> Iterator[MailNetwork]:
    yield from watched(tmp_path)


@pytest.fixture
def host(network: MailNetwork) -> ScriptedHost:
    return scripted(network)


@pytest.fixture
def romeo(network: MailNetwork) -> Client:
    return network.online("romeo@montague.lit/pda")
