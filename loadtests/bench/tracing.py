"""What the default tracing costs: the same lab with it and without, in turn."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from loadtests.bench import report
from loadtests.bench.crew import crew
from loadtests.bench.measure import RATES, Figures, flows, load
from loadtests.bench.ours import running
from loadtests.bench.peer import DOMAINS

SAMPLING = {"default tracing": None, "no tracing": 0}
"""Value of `trace.sample_every`."""
_WAY = "C1-S1-S2-C3"
_FOR_S = 4.0


def tracing(rounds: int, tell: Callable[[str], None]) -> str:
    """CPU per message with and without, and the ratio."""
    runs: dict[str, list[Figures]] = {name: [] for name in SAMPLING}
    for done in range(rounds):
        for name, sample_every in SAMPLING.items():
            with tempfile.TemporaryDirectory(prefix="xmpplab-bench-") as folder:
                runs[name].append(_measure(Path(folder), sample_every))
            tell(f"round {done + 1} of {rounds}, {name}: {runs[name][-1]}")
    found = report.medians(runs)
    tell(f"all figures: {report.save(report.RESULTS, 'tracing', {'machine': report.machine(), 'runs': runs})}")
    rows = [f"| {_WAY}, CPU per message | {' | '.join(SAMPLING)} | ratio |", "| --- | --- | --- | --- |"]
    with_it, without = (found[name] for name in SAMPLING)
    for key in with_it:
        ratios = [a[key] / b[key] for a, b in zip(*runs.values(), strict=True)]
        rows.append(f"| {key} | {with_it[key]:.1f} µs | {without[key]:.1f} µs | {median(ratios):.3f} |")
    return "\n".join(rows)


def _measure(folder: Path, sample_every: int | None) -> Figures:
    with running(folder, list(DOMAINS), sample_every) as pair, crew(pair, tls=False) as clients:
        flow = flows(clients, pair, register=True)[_WAY]
        flow.start()
        return {name: load(flow, rate, _FOR_S).cpu_us for name, rate in {"saturated": 0, "1,000/s": RATES[0]}.items()}
