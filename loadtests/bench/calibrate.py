"""`make calibrate`: the costs of a step of a server, of Redis and of clients, from a live pair and a simulated one.

Both do the same batches of messages and the same logins. The simulated processes count what they do, the live ones use
CPU: the costs are what makes the two agree, by least squares of the relative errors.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from cluster.simulation.costs import CLIENTS, REDIS, SERVER, Costs
from cluster.simulation.flow import LOAD, SimulatedPair, difference, pair_plan
from cluster.simulation.line import Line
from cluster.xmpp.jid import Jid
from loadtests.bench import report
from loadtests.bench.flow import TEXT
from loadtests.bench.live import DOMAINS, LOGIN, Live, Used
from loadtests.bench.measure import PAIRS
from loadtests.bench.scenes import ACROSS, GREETING, LOCAL, SCENES, Scene

PASSES = 3
"""The steps depend a little on their costs."""
_SWEEPS = 20_000
_NAMES = {LOAD: "clients", "s1": "server", "s2": "server", "redis": "redis"}
_STEPS = {"server": SERVER, "redis": REDIS, "clients": CLIENTS}
_COUNTED = dict.fromkeys(("stanzas", "commands", "messages"), "counted")
GUESS = Costs(
    machine={},
    server=dict.fromkeys(SERVER, 10.0) | {"read_bytes": 0.0, "written_bytes": 0.0, "accepts": 3_000.0},
    redis=dict.fromkeys(REDIS, 5.0) | {"read_bytes": 0.0, "written_bytes": 0.0},
    clients=dict.fromkeys(CLIENTS, 10.0),
)
"""For the first count of the steps."""


class Row(NamedTuple):
    """One equation: what a process did for a batch, and the CPU time that it took."""

    what: str
    process: str
    steps: Mapping[str, float]
    cpu_us: float


def calibrate(live: Live, tell: Callable[[str], None]) -> Costs:
    """The costs of this machine."""
    costs = msgspec.structs.replace(GUESS, cores=os.cpu_count())
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(PASSES):
            steps = _simulated(
                Path(folder), msgspec.structs.replace(costs, cores=os.cpu_count(), wake_us=tuple(live.wake_us))
            )
            costs = _fitted([*_rows(live.used, steps)])
    tell_errors(costs, [*_rows(live.used, steps)], tell)
    return msgspec.structs.replace(costs, machine=report.machine(), wake_us=tuple(live.wake_us))


def text_of(scene: Scene) -> bytes:
    """What follows the stamp of a message."""
    return b" " + b"x" * scene.more_bytes + TEXT


# --- the simulated pair


def simulated_pair(folder: Path, costs: Costs) -> tuple[SimulatedPair, dict[str, list[tuple[Line, Line, Jid]]]]:
    """A simulated pair, and the senders and receivers of its flows, logged in."""
    names = [
        [f"{name}{number}" for name in of for number in range(PAIRS)]
        for of in (("romeo", "benvolio", "guest"), ("juliet",))
    ]
    pair = SimulatedPair(pair_plan(folder, DOMAINS, names), costs)
    s1, s2 = pair.lab.plan.servers
    groups = {
        name: pair.log_in([(server, f"{name}{number}") for number in range(PAIRS)], GREETING, tls=False)
        for name, server in (("romeo", s1), ("benvolio", s1), ("juliet", s2))
    }
    ends = {
        way: [
            (sender, receiver, Jid(f"{name}{number}", server.domain, "bench"))
            for number, (sender, receiver) in enumerate(zip(groups["romeo"], groups[name], strict=True))
        ]
        for way, name, server in ((LOCAL, "benvolio", s1), (ACROSS, "juliet", s2))
    }
    return pair, ends


def _simulated(folder: Path, costs: Costs) -> dict[str, dict[str, Mapping[str, float]]]:
    """The steps of each process of each kind of batch."""
    pair, ends = simulated_pair(folder, costs)
    found: dict[str, dict[str, Mapping[str, float]]] = {}
    for scene in SCENES:
        batch = ends[scene.way], text_of(scene), scene.senders, scene.each
        pair.batches(*batch, 5, scene.pause_s)
        found[str(scene)] = _each(pair.batches(*batch, scene.batches, scene.pause_s).steps, scene.batches)
    before = pair.steps()
    pair.log_in([(pair.lab.plan.servers[0], f"guest{number}") for number in range(PAIRS)], GREETING, tls=True)
    pair.rest(0.2)
    found[LOGIN] = _each(difference(pair.steps(), before), PAIRS)
    return found


def _each(steps: Mapping[str, Mapping[str, float]], count: int) -> dict[str, Mapping[str, float]]:
    return {name: {step: number / count for step, number in of.items()} for name, of in steps.items()}


# --- the fit


def _rows(used: Mapping[str, Used], steps: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[Row]:
    for what, of in used.items():
        for process, cpu_us in of.items():
            done = steps[what].get(process)
            if process in _NAMES and done is not None and done["reads"] >= 0.5 and cpu_us > 0:
                yield Row(what, process, done, cpu_us)


def _fitted(rows: Sequence[Row]) -> Costs:
    fitted = {
        kind: least_squares(
            [[row.steps[_COUNTED.get(step, step)] / row.cpu_us for step in steps] for row in rows if _is_of(kind, row)]
        )
        for kind, steps in _STEPS.items()
    }
    server, redis, clients = (
        {step: round(cost, 5) for step, cost in zip(_STEPS[kind], fitted[kind], strict=True)} for kind in _STEPS
    )
    return Costs({}, server, redis, clients)


def _is_of(kind: str, row: Row) -> bool:
    return _NAMES[row.process] == kind


def least_squares(rows: Sequence[Sequence[float]]) -> list[float]:
    """The x ≥ 0 for which the sum of (row · x - 1)² is least, by coordinate descent."""
    width = range(len(rows[0]))
    squares = [[sum(row[i] * row[j] for row in rows) for j in width] for i in width]
    sums = [sum(row[i] for row in rows) for i in width]
    x = [0.0 for _ in width]
    for _ in range(_SWEEPS):
        for i in width:
            if squares[i][i]:
                rest = sums[i] - sum(squares[i][j] * x[j] for j in width if j != i)
                x[i] = max(0.0, rest / squares[i][i])
    return x


def tell_errors(costs: Costs, rows: Sequence[Row], tell: Callable[[str], None]) -> None:
    """How well the costs explain what was measured."""
    for row in rows:
        of: dict[str, float] = getattr(costs, _NAMES[row.process])
        cost_us = sum(cost * row.steps[_COUNTED.get(step, step)] for step, cost in of.items())
        tell(f"  {row.what}: {row.process} {row.cpu_us:,.0f} µs, by the costs {cost_us:,.0f} µs")
