from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cluster.lab.errors import LabError
from cluster.lab.provision.addresses import first_free
from cluster.topology.plan import Plan
from tests.unit.lab.plan import make_plan


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of 127.0.0.1 that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def free() -> int:
    """A port that was free a moment ago, and that the system does not give to anybody else so soon."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def at_port(tmp_path: Path, port: int) -> Plan:
    plan = make_plan(tmp_path)
    server = msgspec.structs.replace(plan.servers[0], c2s_port=port, tls="off")  # no second port
    return msgspec.structs.replace(plan, servers=(server,))


def test_the_first_plan_whose_addresses_are_free(tmp_path: Path, taken: int, free: int) -> None:
    plans = [at_port(tmp_path, taken), at_port(tmp_path, free)]
    assert first_free(plans) is plans[1]


def test_no_plan_has_free_addresses(tmp_path: Path, taken: int) -> None:
    with pytest.raises(LabError, match=rf"127\.0\.0\.1:{taken} is in use.*ss -ltnp"):
        first_free([at_port(tmp_path, taken)])
