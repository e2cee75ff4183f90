"""Where the servers of a lab listen: loopback addresses that two labs do not share, without asking anybody."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_FIRST_A, _LAST_A = 16, 254
"""127.A.b.N; the low ones stay free for others (127.0.0.1, 127.0.1.1, 127.0.0.53)."""

_BLOCKS = (_LAST_A - _FIRST_A + 1) * 256
_PER_BLOCK = 254

_PORT_STEP = 10
_FIRST_PORT, _LAST_PORT = 1024, 65535

Address = tuple[str, int]


def own_hosts(seed: str, ports: Sequence[int], attempt: int) -> list[Address]:
    """A host of its own for each port: 127.a.b.1, 127.a.b.2 …, a and b from the seed; other ones for each attempt."""
    needed = -(-len(ports) // _PER_BLOCK)
    first = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) + attempt * needed
    addresses = []
    for index, port in enumerate(ports):
        high, low = divmod((first + index // _PER_BLOCK) % _BLOCKS, 256)
        addresses.append((f"127.{_FIRST_A + high}.{low}.{index % _PER_BLOCK + 1}", port))
    return addresses


def one_host(ports: Sequence[int], attempt: int) -> list[Address]:
    """127.0.0.1 for all, on different ports: each 10 above the one before it; others for each attempt.

    For systems that have no other loopback address (macOS).
    """
    addresses: list[Address] = []
    for index, wanted in enumerate(ports):
        port = wanted + _PORT_STEP * (index + attempt * len(ports))
        while (address := ("127.0.0.1", _wrapped(port))) in addresses:
            port += 1
        addresses.append(address)
    return addresses


def _wrapped(port: int) -> int:
    """Ports above the last one begin again at the first that needs no root."""
    return port if port <= _LAST_PORT else _FIRST_PORT + (port - _FIRST_PORT) % (_LAST_PORT - _FIRST_PORT + 1)
