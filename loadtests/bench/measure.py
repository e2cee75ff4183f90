"""Everything that is measured of one running pair."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from loadtests.bench.crew import Crew, crew
from loadtests.bench.flow import Flow, Measured
from loadtests.bench.pair import Pair

PAIRS = 50
"""Senders, each with a receiver of its own."""
WINDOW = 20
"""Messages that a sender keeps on their way where the flow is saturated."""
RATES = (1_000, 4_000)
"""Messages per second in all, where it is not."""
EARLY_SESSIONS = 100
"""Logged in before memory is counted: what a server takes for the first ones is not theirs."""
SETTLE_S = 5.0
"""Until servers have put away what they need for a login only."""

Figures = dict[str, float]
"""By name; see `report.py`."""


@dataclass(frozen=True)
class Extent:
    """How long and how much."""

    saturated_s: float = 2.5
    paced_s: tuple[float, ...] = (4.0, 2.5)
    """For each of RATES."""
    idle_sessions: int = 400

    @property
    def seconds(self) -> float:
        """How long the flows of one pair take."""
        return 4 * (self.saturated_s + sum(self.paced_s))


QUICK = Extent(1.0, (2.0, 1.0), 100)


def measure(pair: Pair, extent: Extent, tell: Callable[[str], None]) -> Figures:
    """Memory first, while nothing else has happened."""
    figures: Figures = {"start_s": pair.start_s}
    _measure_idle(pair, extent, figures)
    loads = {"saturated": (0, extent.saturated_s)}
    loads |= {f"{rate}/s": (rate, for_s) for rate, for_s in zip(RATES, extent.paced_s, strict=True)}
    for tls in (False, True):
        with crew(pair, tls=tls) as clients:
            cpu_s = pair.processes.cpu_s()
            ways = flows(clients, pair, register=not tls)
            if tls:
                figures["login_cpu_ms"] = 1000 * (pair.processes.cpu_s() - cpu_s) / len(clients.lines)
            for way, flow in ways.items():
                flow.start()
                for label, (rate, for_s) in loads.items():
                    name = f"{way} {'TLS' if tls else 'plain'} {label}"
                    measured = load(flow, rate, for_s)
                    _note(figures, name, measured)
                    tell(f"{name}: {measured.cpu_us:.0f} µs of CPU per message")
    return figures


def load(flow: Flow, rate: int, for_s: float) -> Measured:
    """`rate`: messages per second in all; 0 for as many as go through."""
    return flow.paced(rate, for_s) if rate else flow.saturated(WINDOW, for_s)


def _measure_idle(pair: Pair, extent: Extent, figures: Figures) -> None:
    server = pair.servers[0]
    with crew(pair, tls=False) as clients:
        for number in range(EARLY_SESSIONS):
            clients.log_in(server, f"early{number}", register=True)
        _settle(clients)
        before_kib = pair.processes.memory_kib()
        for number in range(extent.idle_sessions):
            clients.log_in(server, f"idle{number}", register=True)
        _settle(clients)
        figures["session_kib"] = (pair.processes.memory_kib() - before_kib) / extent.idle_sessions


def _settle(clients: Crew) -> None:
    until_s = time.monotonic() + SETTLE_S
    while (left_s := until_s - time.monotonic()) > 0:
        clients.serve(left_s)


def flows(clients: Crew, pair: Pair, *, register: bool) -> dict[str, Flow]:
    """Logs in senders, and receivers of the same and of the other domain: a flow within, and one across."""
    here, there = pair.servers[:2]
    senders, near, far = (
        [clients.log_in(server, f"{name}{number}", register=register) for number in range(PAIRS)]
        for name, server in (("romeo", here), ("benvolio", here), ("juliet", there))
    )
    return {
        way: Flow(clients, [(s, line, jid) for (s, _), (line, jid) in zip(senders, to, strict=True)], pair.processes)
        for way, to in (("C1-S1-C2", near), ("C1-S1-S2-C3", far))
    }


def _note(figures: Figures, name: str, measured: Measured) -> None:
    figures[f"{name} cpu_us"] = measured.cpu_us
    figures[f"{name} load_us"] = measured.load_us
    figures[f"{name} per_s"] = measured.per_s
    for label, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        figures[f"{name} {label}_ms"] = measured.percentile_ms(share)
