"""The program of a foreign network."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.endpoints import TCP4ServerEndpoint


class Network(Protocol):
    """A foreign network, which listens for connections."""

    administration: Any

    async def start(self, endpoint: Any) -> Any: ...
    async def stop(self) -> None: ...


class NetworkProgram:
    """A foreign network at its address."""

    def __init__(self, reactor: Any, network: Network, listens_at: tuple[str, int]) -> None:
        host, port = listens_at
        self._endpoint: Any = TCP4ServerEndpoint(reactor, port, interface=host)
        self._network = network
        self.administration = network.administration

    async def start(self) -> None:
        """Listen for connections."""
        await self._network.start(self._endpoint)

    async def stop(self) -> None:
        """Stop listening, and close all connections."""
        await self._network.stop()
