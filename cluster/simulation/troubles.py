"""Seeded troubles of a run: nodes crash or are paused, clients are cut off from their server,
and links between domains are down."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from cluster.simulation.lab import SimulatedLab
from cluster.simulation.node import SimulatedNode

if TYPE_CHECKING:
    from cluster.simulation.population import Population

LASTS_S = (0.2, 8.0)
"""Range of the uniformly distributed duration: around the 3 s after which other nodes miss a node."""
MOST_EVENTS = 30
"""A trouble begins so many events or less after the next action of a person, so that it can come between any two."""


class Troubles:
    """Troubles at uniformly distributed times of a run; all are over by its end."""

    def __init__(self, lab: SimulatedLab, population: Population, count: int, duration_s: float) -> None:
        self.happened: list[str] = []
        """Descriptions of the troubles so far, with their times."""
        self._lab = lab
        self._population = population
        self._chance = Random(f"{lab.seed} troubles")
        self._count = count
        self._duration_s = duration_s
        self._host = lab.network.host("troubles")
        self._is_over = False
        self._ends: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Schedule the troubles."""
        for number in range(self._count):
            kind = (self._crash, self._pause, self._cut_off, self._take_down)[number % 4]
            at_s = self._duration_s * self._chance.uniform(0.05, 0.95)
            self._host.callLater(at_s, self._soon, kind)

    def _soon(self, kind: Callable[[SimulatedNode], None]) -> None:
        events = self._chance.randrange(MOST_EVENTS)
        self._population.when_active.append(lambda: self._lab.timeline.between(events, lambda: self._happen(kind)))

    def _happen(self, kind: Callable[[SimulatedNode], None]) -> None:
        running = [node for node in self._lab.nodes.values() if node.host.life.runs]
        if running and not self._is_over:
            kind(self._chance.choice(running))

    def end(self) -> None:
        """End all current troubles, and begin no others."""
        self._is_over = True
        for end in [*self._ends]:
            end()

    def _lasts(self, what: str, end: Callable[[], None]) -> None:
        """Record a trouble, and schedule its end."""
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
        """Cut off each client of a node with probability 0.5."""
        name, network = node.node.name, self._lab.network
        clients = [each.host.address for each in self._population.people if each.server == name]
        cut = [address for address in clients if self._chance.random() < 0.5]
        for address in cut:
            network.cut(address, name)

        def mend() -> None:
            for address in cut:
                network.mend(address, name)

        self._lasts(f"clients cut off from {name}: {len(cut)}", mend)

    def _take_down(self, node: SimulatedNode) -> None:
        """Take the link from another domain to the domain of a node down."""
        to = node.node.domain
        others = [domain for domain in self._lab.memberships if domain != to]
        if others:
            from_ = self._chance.choice(others)
            self._lab.set_link(from_, to, is_down=True)
            self._lasts(f"the link from {from_} to {to} was down", lambda: self._lab.set_link(from_, to, is_down=False))
