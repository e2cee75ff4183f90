"""What the default tracing costs: two labs, with it and without, which take turns of a few seconds."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from loadtests.bench import report
from loadtests.bench.crew import crew
from loadtests.bench.flow import Flow
from loadtests.bench.measure import RATES, flows, load
from loadtests.bench.ours import running
from loadtests.bench.peer import DOMAINS

SAMPLING = {"default tracing": None, "no tracing": 0}
"""Value of `trace.sample_every`."""
LOADS = {"saturated": 0, "1,000/s": RATES[0]}
_WAY = "C1-S1-S2-C3"
_FOR_S = 2.0


def tracing(turns: int, tell: Callable[[str], None]) -> str:
    """CPU per message with and without, and the median of the ratios of turns that followed each other."""
    with ExitStack() as up:
        ways = {name: _up(up, sample_every) for name, sample_every in SAMPLING.items()}
        found: defaultdict[str, dict[str, list[float]]] = defaultdict(lambda: {name: [] for name in SAMPLING})
        for turn in range(turns):
            for label, rate in LOADS.items():
                for name, flow in ways.items():
                    found[label][name].append(load(flow, rate, _FOR_S).cpu_us)
            tell(f"turn {turn + 1} of {turns} is done")
    tell(f"all figures: {report.save('tracing', {'machine': report.machine(), 'cpu_us': found})}")
    rows = [f"| {_WAY}, CPU per message | {' | '.join(SAMPLING)} | ratio |", "| --- | --- | --- | --- |"]
    for label, (with_it, without) in ((label, each.values()) for label, each in found.items()):
        ratio = median(a / b for a, b in zip(with_it, without, strict=True))
        rows.append(f"| {label} | {median(with_it):.1f} µs | {median(without):.1f} µs | {ratio:.3f} |")
    return "\n".join(rows)


def _up(up: ExitStack, sample_every: int | None) -> Flow:
    folder = Path(up.enter_context(tempfile.TemporaryDirectory(prefix="xmpplab-bench-")))
    pair = up.enter_context(running(folder, list(DOMAINS), sample_every))
    flow = flows(up.enter_context(crew(pair, tls=False)), pair, register=True)[_WAY]
    flow.start()
    return flow
