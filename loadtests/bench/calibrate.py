"""`make calibrate`: the costs of a step of a server, of Redis and of clients, from a live pair and a simulated one.

Both do the same batches of messages and the same logins. The simulated processes count what they do, the live ones use
CPU: the costs are what makes the two agree, by least squares of the relative errors.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec

from cluster.simulation.costs import CLIENTS, REDIS, SERVER, Costs
from cluster.simulation.flow import LOAD, SimulatedPair, difference, pair_plan
from cluster.simulation.line import Line
from cluster.xmpp.jid import Jid
from loadtests.bench import report
from loadtests.bench.cost import Processes
from loadtests.bench.crew import crew
from loadtests.bench.flow import TEXT, Flow
from loadtests.bench.measure import PAIRS, flows
from loadtests.bench.ours import processes, running
from loadtests.bench.pair import Pair
from loadtests.bench.scenes import ACROSS, GREETING, LOCAL, PAUSE_S, SCENES, Scene

DOMAINS = ("montague.lit", "capulet.lit")
ROUNDS = 3
IDLE_S = 3.0
LOGIN = "a login over TLS"
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
"""For the first count of the steps, which hardly depends on it: a batch is over before the next one comes."""

Used = dict[str, float]
"""CPU time of each process, in µs, of one batch or login."""


class Row(NamedTuple):
    """One equation: what a process did for a batch, and the CPU time that it took."""

    what: str
    process: str
    steps: Mapping[str, float]
    cpu_us: float


def calibrate(tell: Callable[[str], None]) -> Costs:
    """Measure this machine."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as up:
        pair = up.enter_context(running(Path(folder), [*DOMAINS]))
        used, single_ms = _live(pair, processes(Path(folder)), up, tell)
        tell("the same in a simulation")
        costs = GUESS
        for _ in range(2):
            steps, simulated_ms = _simulated(Path(folder), costs)
            costs = _fitted([*_rows(used, steps)])
    # what a message across waits for in sockets: from the load to s1, to Redis, to s2, and back to the load
    local_us = max(1.0, costs.local_us + 1000 * (single_ms - simulated_ms) / 4)
    tell_errors(costs, [*_rows(used, steps)], tell)
    return msgspec.structs.replace(costs, machine=report.machine(), local_us=round(local_us, 1))


def text_of(scene: Scene) -> bytes:
    """What follows the stamp of a message."""
    return b" " + b"x" * scene.more_bytes + TEXT


# --- the live pair


def _live(
    pair: Pair, nodes: Mapping[str, Processes], up: ExitStack, tell: Callable[[str], None]
) -> tuple[dict[str, Used], float]:
    """The medians of the CPU time of each kind of batch; the median time of a single message across, in ms."""

    def cpu_s() -> dict[str, float]:
        return {LOAD: time.process_time()} | {name: each.cpu_s() for name, each in nodes.items()}

    with crew(pair, tls=False) as guests:
        for number in range(PAIRS):
            guests.log_in(pair.servers[0], f"guest{number}", register=True)
    clients = up.enter_context(crew(pair, tls=False))
    live = flows(clients, pair, register=True)
    found: dict[str, list[Used]] = {}
    before = cpu_s()
    clients.rest(IDLE_S)
    idle = {name: (now - before[name]) / IDLE_S for name, now in cpu_s().items()}
    singles: list[float] = []
    for round_ in range(ROUNDS):
        tell(f"batches on a live pair, round {round_ + 1} of {ROUNDS}")
        for scene in SCENES:
            flow = live[scene.way]
            flow.start()
            _batches(flow, scene, 5)  # opens the link, and fills caches
            flow.latencies_ns.clear()
            before, began_s = cpu_s(), time.monotonic()
            _batches(flow, scene, scene.batches)
            took_s = time.monotonic() - began_s
            used = {
                name: 1e6 * (now - before[name] - idle[name] * took_s) / scene.batches for name, now in cpu_s().items()
            }
            found.setdefault(str(scene), []).append(used)
            if scene == Scene(ACROSS, 1, 1):
                singles += [each / 1e6 for each in flow.latencies_ns]
        found.setdefault(LOGIN, []).append(_logins(pair, cpu_s))
    return {what: _medians(all_) for what, all_ in found.items()}, sorted(singles)[len(singles) // 2]


def _batches(flow: Flow, scene: Scene, count: int) -> None:
    flow.batches(scene.senders, scene.each, b"x" * scene.more_bytes, count, PAUSE_S)


def _logins(pair: Pair, cpu_s: Callable[[], dict[str, float]]) -> Used:
    with crew(pair, tls=True) as clients:
        before = cpu_s()
        for number in range(PAIRS):
            clients.log_in(pair.servers[0], f"guest{number}", presence=GREETING)
        clients.rest(0.2)
        # the client derives its password, and has another TLS: neither is in a simulation
        return {name: 1e6 * (now - before[name]) / PAIRS for name, now in cpu_s().items() if name != LOAD}


def _medians(all_: Sequence[Used]) -> Used:
    return {name: sorted(each[name] for each in all_)[len(all_) // 2] for name in all_[0]}


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


def _simulated(folder: Path, costs: Costs) -> tuple[dict[str, dict[str, Mapping[str, float]]], float]:
    """The steps of each process of each kind of batch; the time of a single message across, in ms."""
    pair, ends = simulated_pair(folder, costs)
    found: dict[str, dict[str, Mapping[str, float]]] = {}
    single_ms = 0.0
    for scene in SCENES:
        text = text_of(scene)
        pair.batches(ends[scene.way][: scene.senders], text, scene.each, 5, PAUSE_S)
        done = pair.batches(ends[scene.way][: scene.senders], text, scene.each, 20, PAUSE_S)
        found[str(scene)] = _each(done.steps, 20)
        if scene == Scene(ACROSS, 1, 1):
            single_ms = done.percentile_ms(0.5)
    before = pair.steps()
    pair.log_in([(pair.lab.plan.servers[0], f"guest{number}") for number in range(PAIRS)], GREETING, tls=True)
    pair.rest(0.2)
    found[LOGIN] = _each(difference(pair.steps(), before), PAIRS)
    return found, single_ms


def _each(steps: Mapping[str, Mapping[str, int]], count: int) -> dict[str, Mapping[str, float]]:
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
