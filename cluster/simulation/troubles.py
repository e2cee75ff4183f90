"""Seeded troubles of a run: nodes and gateways crash or lose their power, nodes are paused, clients are cut off from
their server, links between domains are down or slow, disks are slow, clocks are wrong, and Redis, where there is one,
crashes or is paused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import exp, log
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
CLOCK_LASTS_S = (1.0, 120.0)
"""How long a clock is wrong: other troubles come meanwhile."""
CLOCK_STEP_S = (0.128, 1000.0)
"""How wrong a clock is, before it is set right: from the step threshold of NTP to its panic threshold (RFC 5905, STEPT
and PANICT)."""
CLOCK_DRIFT = 500e-6
"""How fast or slow it runs at most: the maximum that NTP corrects (RFC 5905, MAXFREQ)."""
DISK_S = (0.001, 1.0)
"""The median time of a write to a slow disk: from one that is merely busy to one that fails slowly."""
DISK_SPREAD = 1.0
"""The standard deviation of its logarithm: a few writes take much longer than the others."""
DELAY_MS = (10.0, 2000.0)
"""The delay of a slow link, and as much jitter."""

Kind = Callable[[SimulatedNode, Random], None]
"""Begins a trouble, of this node if it is of one."""


@dataclass(frozen=True)
class Trouble:
    """What happened."""

    at_s: float
    lasts_s: float
    what: str
    steps: tuple[dict[str, object], ...]
    """The same as steps of a scenario, without their times; none for what cannot be done to a live lab."""

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
        kinds = self._kinds()
        for number in self._numbers:
            chance = Random(f"{self._lab.seed} trouble {number}")
            at_s = self._duration_s * chance.uniform(0.05, 0.95)
            self._host.callLater(at_s, self._soon, kinds[number % len(kinds)], chance)

    def _kinds(self) -> list[Kind]:
        """Those that come in turns."""
        kinds: list[Kind] = [self._crash, self._pause, self._cut_off, self._take_down]
        if self._lab.redis is not None:
            kinds += [partial(self._crash_redis, self._lab.redis), partial(self._pause_redis, self._lab.redis)]
        if self._lab.plan.gateways:
            kinds.append(self._crash_gateway)
        return [*kinds, self._lose_power, self._set_clock, self._slow_down_disk, self._slow_down_link]

    def _soon(self, kind: Kind, chance: Random) -> None:
        events = chance.randrange(MOST_EVENTS)
        happen = lambda: self._happen(kind, chance)  # noqa: E731
        self._population.when_active.append(lambda: self._lab.timeline.between(events, happen))

    def _happen(self, kind: Kind, chance: Random) -> None:
        running = [node for node in self._lab.nodes.values() if node.host.life.runs]
        if running and not self._is_over:
            kind(chance.choice(running), chance)

    def end(self) -> None:
        """End all current troubles, and begin no others."""
        self._is_over = True
        for end in [*self._ends]:
            end()

    def _lasts(
        self, chance: Random, what: str, end: Callable[[], None], *steps: dict[str, object],
        range_s: tuple[float, float] = LASTS_S,
    ) -> None:  # fmt: skip
        """Record a trouble, and schedule its end."""
        trouble = Trouble(self._lab.timeline.seconds(), chance.uniform(*range_s), what, steps)
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

    def _lose_power(self, node: SimulatedNode, chance: Random) -> None:
        name = node.node.name
        self._lab.lose_power(name)
        self._lasts(chance, f"{name} lost its power, and was away", lambda: self._lab.start_node(name), {"kill": name})

    def _set_clock(self, node: SimulatedNode, chance: Random) -> None:
        """Of the machine of a server or a gateway."""
        gateways = [each.name for each in self._lab.plan.gateways]
        name = chance.choice([node.node.name, *gateways])
        ahead_s = _between(CLOCK_STEP_S, chance) * chance.choice((-1, 1))
        drift = chance.uniform(-CLOCK_DRIFT, CLOCK_DRIFT)
        clock = self._lab.clock_of(name)
        clock.put_ahead(ahead_s, drift)
        what = f"the clock of {name} was {ahead_s:+.3f} s wrong and ran {1e6 * drift:+.0f} ppm too fast"
        self._lasts(chance, what, lambda: clock.put_ahead(0.0), range_s=CLOCK_LASTS_S)

    def _slow_down_disk(self, node: SimulatedNode, chance: Random) -> None:
        """That of the storage of all domains."""
        median_s = _between(DISK_S, chance)
        backbone = self._lab.backbone
        backbone.let_disk_take(lambda: chance.lognormvariate(log(median_s), DISK_SPREAD))
        what = f"the disk of the storage took {1000 * median_s:.1f} ms for a write"
        self._lasts(chance, what, lambda: backbone.let_disk_take(None))

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
        self._fault(node, chance, "was down", {"down": "always"})

    def _slow_down_link(self, node: SimulatedNode, chance: Random) -> None:
        delay = f"{_between(DELAY_MS, chance):.0f}ms"
        self._fault(node, chance, f"was {delay} slower, with jitter", {"delay": delay, "jitter": delay})

    def _fault(self, node: SimulatedNode, chance: Random, what: str, faults: dict[str, str]) -> None:
        """Give these faults to the link from another domain to the domain of a node."""
        servers = {each.domain: each.server for each in self._lab.plan.ours}
        to = node.node.domain
        others = [domain for domain in servers if domain != to]
        if others:
            from_ = chance.choice(others)
            self._lab.set_faults(from_, to, parse(faults))
            step: dict[str, object] = {"fault": {"from": servers[from_], "to": servers[to], **faults}}
            self._lasts(chance, f"the link from {from_} to {to} {what}", lambda: self._lab.mend(from_, to), step)


def _between(range_: tuple[float, float], chance: Random) -> float:
    """Log-uniformly distributed: each order of magnitude has the same probability."""
    return exp(chance.uniform(*map(log, range_)))
