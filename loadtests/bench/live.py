"""What `make calibrate` measures on a live pair: batches, logins, and the loads that a simulation is to predict."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from cluster.simulation.flow import LOAD
from loadtests.bench.cost import Processes
from loadtests.bench.crew import crew
from loadtests.bench.flow import Flow
from loadtests.bench.measure import PAIRS, Extent, flows, load
from loadtests.bench.ours import processes, running
from loadtests.bench.pair import Pair
from loadtests.bench.quiet import Quiet
from loadtests.bench.scenes import GREETING, SCENES, Scene
from loadtests.bench.waking import wakes_us

DOMAINS = ("montague.lit", "capulet.lit")
LOGIN = "a login over TLS"
ROUNDS = 5
IDLE_S = 3.0
FIGURES = ("CPU per message, µs", "messages/s", "p50, ms", "p99, ms")
"""Of a load."""

Used = dict[str, float]
"""CPU time of each process, in µs, of one batch or login."""


class Live(msgspec.Struct):
    """The medians of all rounds."""

    used: dict[str, Used]
    """By kind of batch, or LOGIN."""
    loads: dict[str, list[float]]
    """The FIGURES, by way and load."""
    wake_us: list[float]


def measured(tell: Callable[[str], None]) -> Live:
    """Start a pair, and measure in turns while the machine has nothing else to do: its speed varies with time."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as up:
        pair = up.enter_context(running(Path(folder), [*DOMAINS]))
        return _Session(pair, processes(Path(folder)), up, tell).measured()


class _Session:
    """The clients of a pair, and what was found."""

    def __init__(self, pair: Pair, nodes: dict[str, Processes], up: ExitStack, tell: Callable[[str], None]) -> None:
        self._nodes = {name: each.clock() for name, each in nodes.items()} | {LOAD: time.process_time}
        everything = pair.processes.clock()
        self._quiet = Quiet(lambda: everything() + time.process_time(), tell)
        self._tell = tell
        # of a load only its nodes count: no supervisor
        self._pair = pair = replace(pair, processes=Processes([pid for each in nodes.values() for pid in each.pids()]))
        with crew(pair, tls=False) as guests:
            for number in range(PAIRS):
                guests.log_in(pair.servers[0], f"guest{number}", register=True)
        self._clients = up.enter_context(crew(pair, tls=False))
        self._flows = flows(self._clients, pair, register=True)
        self._idle: Used = {}
        self._used: defaultdict[str, list[Used]] = defaultdict(list)
        self._loads: defaultdict[str, list[list[float]]] = defaultdict(list)

    def measured(self) -> Live:
        """Measure everything in turns."""
        wake_us = self._quiet.measured("wakes", wakes_us)
        self._idle = self._quiet.measured("idle", self._at_rest)
        for round_ in range(ROUNDS):
            self._tell(f"a live pair, round {round_ + 1} of {ROUNDS}")
            for way, flow in self._flows.items():
                flow.start()
                for name, (rate, for_s) in Extent().loads.items():
                    what = f"{way} {name}"
                    self._loads[what].append(self._quiet.measured(what, partial(_figures, flow, rate, for_s)))
            for scene in SCENES:
                self._used[str(scene)].append(self._quiet.measured(str(scene), partial(self._batches, scene)))
            self._used[LOGIN].append(self._quiet.measured(LOGIN, self._logins))
        used = {
            what: {name: median(each[name] for each in all_) for name in all_[0]} for what, all_ in self._used.items()
        }
        loads = {what: [median(each) for each in zip(*all_, strict=True)] for what, all_ in self._loads.items()}
        return Live(used, loads, wake_us)

    def _cpu_s(self) -> dict[str, float]:
        return {name: clock() for name, clock in self._nodes.items()}

    def _since(self, before: dict[str, float], per: float) -> Used:
        return {name: 1e6 * (now - before[name]) / per for name, now in self._cpu_s().items()}

    def _at_rest(self) -> Used:
        """Of a second."""
        before = self._cpu_s()
        self._clients.rest(IDLE_S)
        return self._since(before, IDLE_S)

    def _batches(self, scene: Scene) -> Used:
        flow, more = self._flows[scene.way], b"x" * scene.more_bytes
        flow.start()
        flow.batches(scene.senders, scene.each, more, 5, scene.pause_s)  # opens the link, and fills caches
        before, began_s = self._cpu_s(), time.monotonic()
        flow.batches(scene.senders, scene.each, more, scene.batches, scene.pause_s)
        took_s = (time.monotonic() - began_s) / scene.batches
        return {name: us - self._idle[name] * took_s for name, us in self._since(before, scene.batches).items()}

    def _logins(self) -> Used:
        with crew(self._pair, tls=True) as clients:
            before = self._cpu_s()
            for number in range(PAIRS):
                clients.log_in(self._pair.servers[0], f"guest{number}", presence=GREETING)
            clients.rest(0.2)
            # the client derives its password, and has another TLS: neither is in a simulation
            return {name: us for name, us in self._since(before, PAIRS).items() if name != LOAD}


def _figures(flow: Flow, rate: int, for_s: float) -> list[float]:
    done = load(flow, rate, for_s)
    return [done.cpu_us, done.per_s, done.percentile_ms(0.5), done.percentile_ms(0.99)]
