"""Service times: what the steps of a process cost, as `make calibrate` has measured them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cluster.lab.errors import BadInput
from cluster.virtual.processor import Cores, Processor, Tally
from cluster.virtual.timeline import NS, Timeline
from cluster.virtual.wire import Wire

if TYPE_CHECKING:
    from cluster.virtual.host import Host

SERVER = ("wakes", "calls", "reads", "read_bytes", "writes", "written_bytes", "accepts", "stanzas")
"""The steps of a server; `stanzas`: of its clients and of other domains, `accepts`: logins."""
REDIS = ("wakes", "reads", "read_bytes", "writes", "written_bytes", "commands")
"""The steps of Redis."""
CLIENTS = ("wakes", "reads", "writes", "messages")
"""The steps of the clients of a measurement, which share one process; `messages`: sent and received."""
MAX_US = 1e6
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
    local_us: float = 50.0
    """From one process to another of the same machine: the latency of a socket, until the other one runs."""


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
    if costs.cores is not None and costs.cores < 1:
        raise BadInput(f"{file}: `cores` is at least 1, or null")
    return costs


class Machines:
    """Gives the processes of a run the duration of their turns."""

    def __init__(self, timeline: Timeline, costs: Costs) -> None:
        self._timeline = timeline
        self._costs = costs
        self._shared = Cores(costs.cores) if costs.cores is not None else None
        self.wire = Wire(latency_s=costs.local_us / 1e6)
        """Between processes of one machine."""
        self._processors: dict[str, list[Processor]] = {}

    def server(self, host: Host, stanzas: Callable[[], int]) -> Processor:
        """Of a server; `stanzas`: how many it has handled so far."""
        return self._processor(host, self._costs.server, stanzas, "stanzas")

    def redis(self, host: Host, commands: Callable[[], int]) -> Processor:
        """Of Redis; `commands`: how many it has executed so far."""
        return self._processor(host, self._costs.redis, commands, "commands")

    def clients(self, host: Host, messages: Callable[[], int]) -> None:
        """Of clients, if they take time; `messages`: how many they have sent and received so far."""
        if self._costs.clients:
            self._processor(host, self._costs.clients, messages, "messages")

    def _processor(self, host: Host, costs_us: dict[str, float], count: Callable[[], int], name: str) -> Processor:
        costs_ns = {step: 1000 * cost for step, cost in costs_us.items() if step != name}
        each_ns, before = 1000 * costs_us.get(name, 0.0), 0

        def cost_ns(tally: Tally) -> int:
            nonlocal before
            now = count()
            tally.counted, before = now - before, now
            return int(each_ns * tally.counted + sum(cost * getattr(tally, step) for step, cost in costs_ns.items()))

        processor = Processor(self._timeline, host.life, self._shared or Cores(1), cost_ns)
        self._processors.setdefault(host.address, []).append(processor)
        return processor

    def did(self) -> dict[str, dict[str, int]]:
        """The steps of each process so far, by its name; those that it counts itself are `counted`."""
        return {name: _sum([vars(each.did) for each in of]) for name, of in self._processors.items()}

    def cpu_s(self) -> dict[str, float]:
        """CPU time of each process so far, with all its starts."""
        return {name: sum(each.busy_ns for each in of) / NS for name, of in self._processors.items()}


def _sum(all_: list[dict[str, int]]) -> dict[str, int]:
    return {step: sum(each[step] for each in all_) for step in all_[0]}


def cpu_shares(machines: Machines | None, seconds: float) -> dict[str, float]:
    """The share of a core that each process used in this time, the busiest first; empty without service times."""
    if machines is None or not seconds:
        return {}
    shares = {name: round(cpu_s / seconds, 6) for name, cpu_s in machines.cpu_s().items()}
    return dict(sorted(shares.items(), key=lambda each: -each[1])[:MAX_TOLD])
