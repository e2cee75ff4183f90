"""Seeded troubles of a run: nodes and gateways crash, nodes are paused, clients are cut off from their server, links
between domains are down, and Redis, where there is one, crashes or is paused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from cluster.router.settings import parse
from cluster.simulated_redis.server import SimulatedRedis
from cluster.simulation.lab import SimulatedLab
from cluster.simulation.node import SimulatedNode

if TYPE_CHECKING:
    from cluster.simulation.population import Population

IN_TURN = 0.5
"""Probability that a crash comes before what a turn has handled is written, and not between two turns."""
LASTS_S = (0.2, 8.0)
"""Range of the uniformly distributed duration: around the 3 s after which other nodes miss a node."""
MOST_EVENTS = 30
"""A trouble begins fewer events than this after the next action of a person: it can come between any two events."""


@dataclass(frozen=True)
class Trouble:
    """What happened."""

    at_s: float
    lasts_s: float
    what: str
    steps: tuple[dict[str, object], ...]
    """The same as steps of a scenario, without their times."""

    def __str__(self) -> str:
        return f"{self.at_s:.6f} s: {self.what} for {self.lasts_s:.3f} s"


class Troubles:
    """Troubles at uniformly distributed times of a run; all are over by its end."""

    def __init__(self, lab: SimulatedLab, population: Population, numbers: Iterable[int], duration_s: float) -> None:
        """`numbers`: of the troubles that happen; each has random numbers of its own."""
        self.happened: list[Trouble] = []
        """The troubles so far."""
        self.redis_was_away = False
        self._lab = lab
        self._population = population
        self._numbers = numbers
        self._duration_s = duration_s
        self._host = lab.network.host("troubles")
        self._is_over = False
        self._ends: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Schedule the troubles."""
        kinds: list[Callable[[SimulatedNode, Random], None]] = [
            self._crash, self._pause, self._cut_off, self._take_down
        ]  # fmt: skip
        if self._lab.redis is not None:
            kinds += [partial(self._crash_redis, self._lab.redis), partial(self._pause_redis, self._lab.redis)]
        if self._lab.plan.gateways:
            kinds.append(self._crash_gateway)
        for number in self._numbers:
            chance = Random(f"{self._lab.seed} trouble {number}")
            at_s = self._duration_s * chance.uniform(0.05, 0.95)
            self._host.callLater(at_s, self._soon, kinds[number % len(kinds)], chance)

    def _soon(self, kind: Callable[[SimulatedNode, Random], None], chance: Random) -> None:
        events = chance.randrange(MOST_EVENTS)
        happen = lambda: self._happen(kind, chance)  # noqa: E731
        self._population.when_active.append(lambda: self._lab.timeline.between(events, happen))

    def _happen(self, kind: Callable[[SimulatedNode, Random], None], chance: Random) -> None:
        running = [node for node in self._lab.nodes.values() if node.host.life.runs]
        if running and not self._is_over:
            kind(chance.choice(running), chance)

    def end(self) -> None:
        """End all current troubles, and begin no others."""
        self._is_over = True
        for end in [*self._ends]:
            end()

    def _lasts(self, chance: Random, what: str, end: Callable[[], None], *steps: dict[str, object]) -> None:
        """Record a trouble, and schedule its end."""
        trouble = Trouble(self._lab.timeline.seconds(), chance.uniform(*LASTS_S), what, steps)
        self.happened.append(trouble)
        self._lab.mark(f"{what} for {trouble.lasts_s:.1f} s")

        def over() -> None:
            if over in self._ends:
                self._ends.remove(over)
                end()

        self._ends.append(over)
        self._host.callLater(trouble.lasts_s, over)

    def _crash(self, node: SimulatedNode, chance: Random) -> None:
        """Between two turns, or within one."""
        name = node.node.name
        if chance.random() < IN_TURN:
            self._lab.crash_in_turn(name)
        else:
            self._lab.crash(name)
        self._lasts(chance, f"{name} crashed, and was away", lambda: self._lab.start_node(name), {"kill": name})

    def _pause(self, node: SimulatedNode, chance: Random) -> None:
        node.host.pause()
        self._lasts(chance, f"{node.node.name} was paused", node.host.resume, {"pause": node.node.name})

    def _crash_gateway(self, node: SimulatedNode, chance: Random) -> None:
        name = chance.choice(self._lab.plan.gateways).name
        if name in self._lab.foreign.nodes:
            self._lab.crash(name)
            self._lasts(chance, f"{name} crashed, and was away", lambda: self._lab.start_node(name), {"kill": name})

    def _crash_redis(self, redis: SimulatedRedis, node: SimulatedNode, chance: Random) -> None:
        if redis.is_up:
            self.redis_was_away = True
            redis.crash()
            self._lasts(chance, "Redis crashed, and was away", redis.start, {"kill": "redis"})

    def _pause_redis(self, redis: SimulatedRedis, node: SimulatedNode, chance: Random) -> None:
        if redis.is_up:
            self.redis_was_away = True
            redis.pause()
            self._lasts(chance, "Redis was paused", redis.resume, {"pause": "redis"})

    def _cut_off(self, node: SimulatedNode, chance: Random) -> None:
        """Cut off each client of a node with probability 0.5."""
        name, network = node.node.name, self._lab.network
        cut = [each for each in self._population.resources if each.server == name and chance.random() < 0.5]
        addresses = [each.host.address for each in cut]  # a client may have another one when the trouble ends
        for address in addresses:
            network.cut(address, name)

        def mend() -> None:
            for address in addresses:
                network.mend(address, name)

        steps: list[dict[str, object]] = [{"cut": str(each.person.jid)} for each in cut]
        self._lasts(chance, f"clients cut off from {name}: {len(cut)}", mend, *steps)

    def _take_down(self, node: SimulatedNode, chance: Random) -> None:
        """Take the link from another domain to the domain of a node down."""
        servers = {each.domain: each.server for each in self._lab.plan.ours}
        to = node.node.domain
        others = [domain for domain in servers if domain != to]
        if others:
            from_ = chance.choice(others)
            self._lab.set_faults(from_, to, parse({"down": "always"}))
            fault: dict[str, object] = {"fault": {"from": servers[from_], "to": servers[to], "down": "always"}}
            what = f"the link from {from_} to {to} was down"
            self._lasts(chance, what, lambda: self._lab.mend(from_, to), fault)
