"""Service times: what the steps of a process cost, as `make calibrate` has measured them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import msgspec

from cluster.lab.errors import BadInput
from cluster.virtual.processor import Cores, Processor, Tally
from cluster.virtual.timeline import NS, Timeline
from cluster.virtual.wire import Wire

if TYPE_CHECKING:
    from cluster.virtual.host import Host

SERVER = (
    "wakes", "cooled", "calls", "reads", "read_bytes", "writes", "written_bytes", "accepts", "stanzas",
)  # fmt: skip
"""The steps of a server; `stanzas`: of its clients and of other domains, `accepts`: logins."""
REDIS = ("wakes", "cooled", "reads", "read_bytes", "writes", "written_bytes", "commands")
"""The steps of Redis."""
CLIENTS = ("wakes", "cooled", "reads", "writes", "messages")
"""The steps of the clients of a measurement, which share one process; `messages`: sent and received."""
WAKE_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999)
"""Of all wake-ups: those that take at most so long."""
MAX_US = 1e6
LOCAL = Wire(latency_s=0.0)
"""Between processes of one machine: the time until the other one runs is that of its wake-up."""
MAX_TOLD = 20
"""Processes whose shares a report has."""


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of costs: CPU time of each step, in µs."""

    machine: dict[str, str]
    """Where and when they were measured."""
    server: dict[str, float]
    redis: dict[str, float]
    clients: dict[str, float] = {}
    """Empty: those of a simulation take no time."""
    cores: int | None = None
    """Cores that all processes share; None: each process has its own."""
    wake_us: tuple[float, ...] = (0.0,) * len(WAKE_SHARES)
    """From an event until an idle process runs: at each of WAKE_SHARES."""


def read(file: Path) -> Costs:
    """Read a file of `make calibrate`. Raises BadInput for what is none."""
    try:
        costs = msgspec.json.decode(file.read_bytes(), type=Costs)
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}; `make calibrate` writes such a file") from None
    except msgspec.MsgspecError as error:
        raise BadInput(f"{file} is no file of costs: {error}; `make calibrate` writes one") from None
    for of, steps, given in (("server", SERVER, costs.server), ("redis", REDIS, costs.redis)):
        if {*given} != {*steps} or not all(0 <= each <= MAX_US for each in given.values()):
            raise BadInput(f"{file}: `{of}` needs the µs, from 0 to {MAX_US:,.0f}, of: {', '.join(steps)}")
    if costs.clients and {*costs.clients} != {*CLIENTS}:
        raise BadInput(f"{file}: `clients` needs the µs of: {', '.join(CLIENTS)}; or nothing")
    if len(costs.wake_us) != len(WAKE_SHARES) or not _is_ascending(costs.wake_us):
        shares = ", ".join(f"{share:g}" for share in WAKE_SHARES)
        raise BadInput(f"{file}: `wake_us` needs the µs of these shares of all wake-ups, in ascending order: {shares}")
    if costs.cores is not None and costs.cores < 1:
        raise BadInput(f"{file}: `cores` is at least 1, or null")
    return costs


def _is_ascending(values: Sequence[float]) -> bool:
    return all(low <= high for low, high in pairwise((0.0, *values, MAX_US)))


@dataclass
class Used:
    """What a process used so far, with all its starts."""

    did: Tally = field(default_factory=Tally)
    busy_ns: int = 0

    def add(self, tally: Tally, cost_ns: int) -> None:
        """A turn is over."""
        self.busy_ns += cost_ns
        for step, count in vars(tally).items():
            setattr(self.did, step, getattr(self.did, step) + count)


class Machines:
    """Gives the processes of a run the duration of their turns, and of their wake-ups."""

    def __init__(self, timeline: Timeline, costs: Costs, seed: int) -> None:
        self._timeline = timeline
        self._costs = costs
        self._shared = Cores(costs.cores) if costs.cores is not None else None
        self._chance = Random(f"{seed} wakes")
        self._used: dict[str, Used] = {}

    def server(self, host: Host, stanzas: Callable[[], int]) -> None:
        """Of a server; `stanzas`: how many it has handled so far."""
        self._processor(host, self._costs.server, stanzas, "stanzas")

    def redis(self, host: Host, commands: Callable[[], int]) -> None:
        """Of Redis; `commands`: how many it has executed so far."""
        self._processor(host, self._costs.redis, commands, "commands")

    def clients(self, host: Host, messages: Callable[[], int]) -> None:
        """Of clients, if they take time; `messages`: how many they have sent and received so far."""
        if self._costs.clients:
            self._processor(host, self._costs.clients, messages, "messages", sends_at_once=True)

    def _processor(
        self,
        host: Host,
        costs_us: dict[str, float],
        count: Callable[[], int],
        name: str,
        *,
        sends_at_once: bool = False,
    ) -> None:
        costs_ns = {step: 1000 * cost for step, cost in costs_us.items() if step != name}
        each_ns, before = 1000 * costs_us.get(name, 0.0), 0

        def cost_ns(tally: Tally) -> int:
            nonlocal before
            now = count()
            tally.counted, before = now - before, now
            return int(each_ns * tally.counted + sum(cost * getattr(tally, step) for step, cost in costs_ns.items()))

        used = self._used.setdefault(host.address, Used())
        cores = self._shared or Cores(1)
        Processor(self._timeline, host.life, cores, cost_ns, self._wake_ns, used.add, sends_at_once=sends_at_once)

    def _wake_ns(self) -> int:
        """Between the two measured shares that a draw falls between, in proportion."""
        share = self._chance.uniform(0, WAKE_SHARES[-1])
        after = bisect_left(WAKE_SHARES, share, 1)
        low, high = WAKE_SHARES[after - 1 : after + 1]
        low_us, high_us = self._costs.wake_us[after - 1 : after + 1]
        return int(1000 * (low_us + (high_us - low_us) * (share - low) / (high - low)))

    def did(self) -> dict[str, dict[str, float]]:
        """The steps of each process so far, by its name; those that it counts itself are `counted`."""
        return {name: {**vars(used.did)} for name, used in self._used.items()}

    def cpu_s(self) -> dict[str, float]:
        """CPU time of each process so far, with all its starts."""
        return {name: used.busy_ns / NS for name, used in self._used.items()}


def cpu_shares(machines: Machines | None, seconds: float) -> dict[str, float]:
    """The share of a core that each process used in this time, the busiest first; empty without service times."""
    if machines is None or not seconds:
        return {}
    shares = {name: round(cpu_s / seconds, 6) for name, cpu_s in machines.cpu_s().items()}
    return dict(sorted(shares.items(), key=lambda each: -each[1])[:MAX_TOLD])
