"""Free ports for programs that cannot choose their own."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

_FIRST, _END = 20_000, 32_768
"""Below the ports that Linux gives to outgoing connections (`ip_local_port_range`), of which one may take a port that
was free a moment ago."""


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Different TCP ports of this address. `OSError` if hardly any is free."""
    choice = random.SystemRandom()
    with ExitStack() as holding:
        return [_bind(holding, host, choice) for _ in range(count)]


def _bind(holding: ExitStack, host: str, choice: random.Random) -> int:
    for _ in range(1_000):
        listener = holding.enter_context(socket.socket())
        port = choice.randrange(_FIRST, _END)
        try:
            listener.bind((host, port))
        except OSError:
            continue
        return port
    raise OSError(f"no free port from {_FIRST} to {_END - 1} at {host}")
