"""The program of a gateway or of a foreign network, and what its process passes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.endpoints import TCP4ClientEndpoint

from cluster.components.connection import ComponentConnection
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.trace.hop import Tracer

Address = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True)
class NodeEnvironment:
    """What every program gets, whatever its kind."""

    reactor: Any
    folder: Path | None
    """Its own folder, for its files; None: it keeps everything in memory."""
    client: RedisClient
    keys: Keys
    tracer: Tracer
    now_utc_s: Callable[[], float]
    new_id: Callable[[], str]
    """Returns ids that nobody can guess."""
    jitter: Callable[[], float]
    """Returns a number in [0, 1)."""

    def component(self, at_server: Address, domain: str, secret: str) -> ComponentConnection:
        """The connection of a gateway to its server."""
        endpoint: Any = TCP4ClientEndpoint(self.reactor, *at_server)
        return ComponentConnection(self.reactor, endpoint, domain, secret, self.tracer, self.jitter)


class Program(Protocol):
    """A gateway or a foreign network. `administration` answers `status` with `ready`, and the operator's requests."""

    administration: Any

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
