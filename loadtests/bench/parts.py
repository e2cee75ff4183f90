"""The cost of parts of a lab: one with all defaults, and others without one of the parts, in turns."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from loadtests.bench import report
from loadtests.bench.crew import crew
from loadtests.bench.flow import Flow
from loadtests.bench.measure import RATES, WAYS, flows, load
from loadtests.bench.ours import running
from loadtests.bench.peer import DOMAINS

WITHOUT: dict[str, dict[str, Any]] = {
    "": {},
    "tracing": {"trace": {"sample_every": 0}},
    "modules": {"defaults": {"modules": ["register"]}},
}
"""Changes of the topology without this part; `register` creates the accounts of the load."""
LOADS = {"saturated": 0, "1,000/s": RATES[0]}
_WAY = WAYS[-1]
_FOR_S = 2.0


def parts(turns: int, tell: Callable[[str], None]) -> str:
    """CPU per message with and without, and the median of the ratios of turns that followed each other."""
    with ExitStack() as up:
        ways = {part: _up(up, change) for part, change in WITHOUT.items()}
        found: defaultdict[str, dict[str, list[float]]] = defaultdict(lambda: {part: [] for part in WITHOUT})
        for turn in range(turns):
            for label, rate in LOADS.items():
                for part, flow in ways.items():
                    found[label][part].append(load(flow, rate, _FOR_S).cpu_us)
            tell(f"turn {turn + 1} of {turns} is done")
    tell(f"all figures: {report.save('parts', {'machine': report.machine(), 'cpu_us': found})}")
    rows = [f"| {_WAY}, CPU per message | with all | without | ratio |", "| --- | --- | --- | --- |"]
    for part in filter(None, WITHOUT):
        rows += [_row(f"{part}, {label}", cpu_us[""], cpu_us[part]) for label, cpu_us in found.items()]
    return "\n".join(rows)


def _row(name: str, with_all: list[float], without: list[float]) -> str:
    ratio = report.ratio(with_all, without)
    assert ratio is not None  # a message always costs something
    return f"| {name} | {median(with_all):.1f} µs | {median(without):.1f} µs | {ratio:.3f} |"


def _up(up: ExitStack, change: dict[str, Any]) -> Flow:
    folder = Path(up.enter_context(tempfile.TemporaryDirectory(prefix="xmpplab-bench-")))
    pair = up.enter_context(running(folder, list(DOMAINS), change))
    flow = flows(up.enter_context(crew(pair, tls=False)), pair, register=True)[_WAY]
    flow.start()
    return flow
