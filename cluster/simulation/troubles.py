"""What goes wrong in a run, by its seed: nodes crash or are paused, and clients are cut off from their server."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from cluster.simulation.lab import SimulatedLab
from cluster.simulation.node import SimulatedNode

if TYPE_CHECKING:
    from cluster.simulation.population import Population

LASTS_S = (0.2, 8.0)
"""How long a trouble lasts, evenly spread: less and more than the 3 s after which other nodes miss one."""
MOST_EVENTS = 50
"""A trouble comes behind one of so many events after its time: so it may come between any two."""


class Troubles:
    """They come evenly spread over the run, and are over by its end."""

    def __init__(self, lab: SimulatedLab, population: Population, count: int, duration_s: float) -> None:
        self.happened: list[str] = []
        """In words, with when it was."""
        self._lab = lab
        self._population = population
        self._chance = Random(f"{lab.seed} troubles")
        self._count = count
        self._duration_s = duration_s
        self._host = lab.network.host("troubles")
        self._ends: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Plan them."""
        for number in range(self._count):
            kind = (self._crash, self._pause, self._cut_off)[number % 3]
            at_s = self._duration_s * self._chance.uniform(0.05, 0.95)
            self._host.callLater(at_s, self._soon, kind)

    def _soon(self, kind: Callable[[SimulatedNode], None]) -> None:
        self._lab.timeline.between(self._chance.randrange(MOST_EVENTS), lambda: self._happen(kind))

    def _happen(self, kind: Callable[[SimulatedNode], None]) -> None:
        running = [node for node in self._lab.nodes.values() if node.host.life.runs]
        if running:
            kind(self._chance.choice(running))

    def end(self) -> None:
        """All is well again, now."""
        for end in [*self._ends]:
            end()

    def _lasts(self, what: str, end: Callable[[], None]) -> None:
        """Something has happened, which is over after a while."""
        lasts_s = self._chance.uniform(*LASTS_S)
        self.happened.append(f"{self._lab.timeline.seconds():.6f} s: {what} for {lasts_s:.3f} s")

        def over() -> None:
            if over in self._ends:
                self._ends.remove(over)
                end()

        self._ends.append(over)
        self._host.callLater(lasts_s, over)

    def _crash(self, node: SimulatedNode) -> None:
        name = node.node.name
        self._lab.crash(name)
        self._lasts(f"{name} crashed, and was away", lambda: self._lab.start_node(name))

    def _pause(self, node: SimulatedNode) -> None:
        node.host.pause()
        self._lasts(f"{node.node.name} was paused", node.host.resume)

    def _cut_off(self, node: SimulatedNode) -> None:
        """One in two of its clients."""
        name, network = node.node.name, self._lab.network
        clients = [each.host.address for each in self._population.people if each.server == name]
        cut = [address for address in clients if self._chance.random() < 0.5]
        for address in cut:
            network.cut(address, name)

        def mend() -> None:
            for address in cut:
                network.mend(address, name)

        self._lasts(f"{len(cut)} clients were cut off from {name}", mend)
