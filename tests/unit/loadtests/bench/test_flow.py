"""The measurement of a flow does not disturb it."""

from __future__ import annotations

from typing import Any

from loadtests.bench.cost import Processes
from loadtests.bench.flow import Flow


class Network:
    """A crew, for which a message arrives whenever it serves; its processes note when they are looked for."""

    def __init__(self) -> None:
        self.served = 0
        self.looked_for: list[int] = []
        crew: Any = self
        self.flow = Flow(crew, [], _Watched(self))

    def serve(self, timeout_s: float) -> None:
        self.served += 1
        self.flow.sent += 1
        self.flow.delivered += 1


class _Watched(Processes):
    def __init__(self, network: Network) -> None:
        super().__init__([])
        self._network = network

    def pids(self) -> list[int]:
        self._network.looked_for.append(self._network.served)
        return []


def test_processes_are_looked_for_before_the_first_message_is_due() -> None:
    network = Network()
    network.flow.saturated(1, 0.01)
    assert network.served > 0
    assert network.looked_for == [0]
