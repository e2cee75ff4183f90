"""What the simulation predicts with the costs of `make calibrate`, beside a live pair under the same load."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

import msgspec

from cluster.simulation.costs import Costs
from cluster.simulation.flow import LOAD
from loadtests.bench.calibrate import DOMAINS, simulated_pair
from loadtests.bench.cost import Processes
from loadtests.bench.crew import crew
from loadtests.bench.flow import TEXT
from loadtests.bench.measure import WAYS, WINDOW, Extent, flows, load
from loadtests.bench.ours import processes, running

TURNS = 3
FIGURES = {"CPU per message, µs": 0.2, "messages/s": 0.2, "p50, ms": 0.2, "p99, ms": 0.5}
"""The figures, and by which share a prediction may be off."""

Found = dict[tuple[str, str], dict[str, float]]
"""By way and load."""


def predict(costs: Costs, tell: Callable[[str], None]) -> str:
    """Measure, simulate, and return the table."""
    with tempfile.TemporaryDirectory() as folder:
        live = _live(Path(folder), tell)
        tell("the same in a simulation")
        shared = msgspec.structs.replace(costs, cores=len(os.sched_getaffinity(0)))
        simulated = _simulated(Path(folder), shared)
    return "\n".join(_table(live, simulated))


def _live(folder: Path, tell: Callable[[str], None]) -> Found:
    with ExitStack() as up:
        pair = up.enter_context(running(folder, [*DOMAINS]))
        nodes = processes(folder)
        pair = replace(pair, processes=Processes([pid for each in nodes.values() for pid in each.pids()]))
        ways = flows(up.enter_context(crew(pair, tls=False)), pair, register=True)
        found: Found = {}
        for way, flow in ways.items():
            flow.start()
            for name, (rate, for_s) in Extent().loads.items():
                tell(f"{way} {name}")
                turns = [load(flow, rate, for_s) for _ in range(TURNS)]
                values = [(t.cpu_us, t.per_s, t.percentile_ms(0.5), t.percentile_ms(0.99)) for t in turns]
                found[way, name] = dict(zip(FIGURES, map(median, zip(*values, strict=True)), strict=True))
        return found


def _simulated(folder: Path, costs: Costs) -> Found:
    pair, ends = simulated_pair(folder, costs)
    found: Found = {}
    for way in WAYS:
        for name, (rate, for_s) in Extent().loads.items():
            text = b" " + TEXT
            done = (
                pair.paced(ends[way], text, rate, for_s) if rate else pair.saturated(ends[way], text, WINDOW, for_s / 2)
            )
            cpu_us = sum(each for process, each in done.cpu_us.items() if process != LOAD)
            values = cpu_us, done.per_s, done.percentile_ms(0.5), done.percentile_ms(0.99)
            found[way, name] = dict(zip(FIGURES, values, strict=True))
    return found


def _table(live: Found, simulated: Found) -> Iterator[str]:
    yield "| load | figure | live | predicted | ratio | aim |"
    yield "| --- | --- | --: | --: | --: | --- |"
    for (way, name), figures in live.items():
        for figure, value in figures.items():
            predicted = simulated[way, name][figure]
            aim = FIGURES[figure]
            verdict = "met" if abs(predicted / value - 1) <= aim else "**not met**"
            numbers = f"{_number(value)} | {_number(predicted)}"
            yield f"| {way} {name} | {figure} | {numbers} | {predicted / value:.2f} | ± {aim:.0%}: {verdict} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


CURVE = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 24_000, 32_000)
"""Messages per second, for `curve`."""
MESSAGES = 6_000
"""At each of these rates."""


def curve(costs: Costs, tell: Callable[[str], None]) -> str:
    """Latency, and the share of a core that each process uses, as the rate grows; each process has its own core."""
    lines = ["| messages/s | s1 | s2 | Redis | p50, ms | p99, ms |", "| --: | --: | --: | --: | --: | --: |"]
    own = msgspec.structs.replace(costs, cores=None, clients={})
    with tempfile.TemporaryDirectory() as folder:
        for rate in CURVE:
            tell(f"{WAYS[-1]} {rate}/s")
            pair, ends = simulated_pair(Path(folder), own)
            done = pair.paced(ends[WAYS[-1]], b" " + TEXT, rate, MESSAGES / rate)
            shares = [f"{done.cpu_us[name] * done.per_s / 1e6:.0%}" for name in ("s1", "s2", "redis")]
            times = [f"{done.percentile_ms(share):.2f}" for share in (0.5, 0.99)]
            lines.append(f"| {' | '.join([f'{rate:,}', *shares, *times])} |")
    return "\n".join(lines)
