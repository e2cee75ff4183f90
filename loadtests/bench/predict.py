"""What the simulation predicts with the costs of `make calibrate`, beside a live pair under the same load."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from cluster.simulation.costs import Costs
from cluster.simulation.flow import LOAD
from loadtests.bench.calibrate import simulated_pair
from loadtests.bench.flow import TEXT
from loadtests.bench.live import FIGURES, Live
from loadtests.bench.measure import WAYS, WINDOW, Extent

AIMS = (0.2, 0.2, 0.2, 0.5)
"""By which share each of FIGURES may be off."""


def predict(costs: Costs, live: Live) -> str:
    """Simulate the loads, and return the table."""
    with tempfile.TemporaryDirectory() as folder:
        simulated = _simulated(Path(folder), msgspec.structs.replace(costs, cores=os.cpu_count()))
    return "\n".join(_table(live.loads, simulated))


def _simulated(folder: Path, costs: Costs) -> dict[str, list[float]]:
    pair, ends = simulated_pair(folder, costs)
    found: dict[str, list[float]] = {}
    for way in WAYS:
        for name, (rate, for_s) in Extent().loads.items():
            text = b" " + TEXT
            done = (
                pair.paced(ends[way], text, rate, for_s) if rate else pair.saturated(ends[way], text, WINDOW, for_s / 2)
            )
            cpu_us = sum(each for process, each in done.cpu_us.items() if process != LOAD)
            found[f"{way} {name}"] = [cpu_us, done.per_s, done.percentile_ms(0.5), done.percentile_ms(0.99)]
    return found


def _table(live: Mapping[str, Sequence[float]], simulated: Mapping[str, Sequence[float]]) -> Iterator[str]:
    yield "| load | figure | live | predicted | ratio | aim |"
    yield "| --- | --- | --: | --: | --: | --- |"
    for what, values in live.items():
        for figure, aim, value, predicted in zip(FIGURES, AIMS, values, simulated[what], strict=True):
            verdict = "met" if abs(predicted / value - 1) <= aim else "**not met**"
            numbers = f"{_number(value)} | {_number(predicted)}"
            yield f"| {what} | {figure} | {numbers} | {predicted / value:.2f} | ± {aim:.0%}: {verdict} |"


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
