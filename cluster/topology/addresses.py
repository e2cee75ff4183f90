"""Where the servers of a lab listen: loopback addresses that two labs do not share, without asking anybody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

_FIRST_A, _LAST_A = 16, 254
"""127.A.b.N; the low ones stay free for others (127.0.0.1, 127.0.1.1, 127.0.0.53)."""

_BLOCKS = (_LAST_A - _FIRST_A + 1) * 256
_PER_BLOCK = 254

_PORT_STEP = 10
_PORTS_OF_A_NODE = 5
_FIRST_PORT, _LAST_PORT = 1024, 65535

Address = tuple[str, int]


def own_hosts(seed: str, ports: Sequence[int], attempt: int) -> list[Address]:
    """A host of its own for each port: 127.a.b.1, 127.a.b.2 …, a and b from the seed; other ones for each attempt."""
    needed = -(-len(ports) // _PER_BLOCK)
    first = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) + attempt * needed
    return [(_host(first, index), port) for index, port in enumerate(ports)]


def hosts_from(host: str, count: int) -> Iterator[str]:
    """So many hosts of the block of this one, and of those after it."""
    _, high, low, _ = map(int, host.split("."))
    first = (high - _FIRST_A) * 256 + low
    return (_host(first, index) for index in range(count))


def _host(first_block: int, index: int) -> str:
    high, low = divmod((first_block + index // _PER_BLOCK) % _BLOCKS, 256)
    return f"127.{_FIRST_A + high}.{low}.{index % _PER_BLOCK + 1}"


def name_server(host: str, port: int) -> Address:
    """In the block of this host of a lab: the one address that no node gets."""
    return f"{host.rpartition('.')[0]}.255", port


def one_host(ports: Sequence[int], attempt: int) -> list[Address]:
    """127.0.0.1 for all, on different ports: each 10 above the one before it; others for each attempt.

    A node may listen on the four ports above its own, too. For systems that have no other loopback address (macOS).
    """
    taken: set[int] = set()
    addresses: list[Address] = []
    for index, wanted in enumerate(ports):
        port = _wrapped(wanted + _PORT_STEP * (index + attempt * len(ports)))
        while not taken.isdisjoint(own := range(port, port + _PORTS_OF_A_NODE)):
            port = _wrapped(port + 1)
        taken.update(own)
        addresses.append(("127.0.0.1", port))
    return addresses


def _wrapped(port: int) -> int:
    """Ports above the last one, with those that belong to it, begin again at the first that needs no root."""
    last = _LAST_PORT - _PORTS_OF_A_NODE + 1
    return port if port <= last else _FIRST_PORT + (port - _FIRST_PORT) % (last - _FIRST_PORT + 1)
