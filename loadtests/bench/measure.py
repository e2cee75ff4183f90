"""All measurements of one running pair."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass

from loadtests.bench.crew import Crew, crew
from loadtests.bench.flow import Flow, Measured
from loadtests.bench.pair import Pair

PAIRS = 50
"""Senders, each with a receiver of its own."""
WINDOW = 20
"""Messages that a sender has on their way in a saturated flow."""
RATES = (1_000, 4_000)
"""Messages per second in all, in paced flows."""
EARLY_SESSIONS = 100
"""Logged in before memory is measured: the first sessions have costs of the server itself."""
SETTLE_S = 5.0
"""Time for servers to free memory that they need for logins only."""

Figures = dict[str, float]
"""By name; see `report.py`."""
WAYS = ("C1-S1-C2", "C1-S1-S2-C3")


@dataclass(frozen=True)
class Extent:
    """Durations and sizes of a measurement."""

    turns: int = 3
    saturated_s: float = 0.8
    paced_s: tuple[float, ...] = (1.6, 0.8)
    """For each of RATES."""
    idle_sessions: int = 400

    @property
    def loads(self) -> dict[str, tuple[int, float]]:
        """By name: messages per second in all, 0 for saturated, and the duration."""
        paced = {f"{rate}/s": (rate, for_s) for rate, for_s in zip(RATES, self.paced_s, strict=True)}
        return {"saturated": (0, self.saturated_s), **paced}


QUICK = Extent(1, 1.0, (2.0, 1.0), 100)


def resting_kib(pair: Pair, sessions: int, *, tls: bool) -> float:
    """Memory of an idle session: the growth of all processes by so many, after the first ones."""
    server, name = pair.servers[0], "secure" if tls else "idle"
    with crew(pair, tls=tls) as clients:
        for number in range(EARLY_SESSIONS):
            clients.log_in(server, f"{name}early{number}", register=True)
        clients.rest(SETTLE_S)
        before_kib = pair.processes.memory_kib()
        for number in range(sessions):
            clients.log_in(server, f"{name}{number}", register=True)
        clients.rest(SETTLE_S)
        return (pair.processes.memory_kib() - before_kib) / sessions


class Side:
    """A pair that is measured next to others, and its figures: of each a value for each turn."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._flows: dict[str, Flow] = {}
        self.found: defaultdict[str, list[float]] = defaultdict(list)
        self.found["start_s"].append(pair.start_s)

    def found_of(self, way: str) -> dict[str, list[float]]:
        """The figures of this way alone."""
        return {name: values for name, values in self.found.items() if name.startswith(way)}

    def rest(self, sessions: int) -> None:
        """Memory of idle sessions; first of all, before anything else has happened."""
        self.found["session_kib"].append(resting_kib(self._pair, sessions, tls=False))

    def log_in(self, tls: bool, closing: ExitStack) -> None:
        """Senders and receivers, until `closing`; with TLS the same accounts again."""
        cpu_s = self._pair.processes.cpu_s()
        clients = closing.enter_context(crew(self._pair, tls=tls))
        self._flows = flows(clients, self._pair, register=not tls)
        if tls:
            self.found["login_cpu_ms"].append(1000 * (self._pair.processes.cpu_s() - cpu_s) / len(clients.lines))

    def begin(self, way: str) -> None:
        """From now on the clients are for this flow."""
        self._flows[way].start()

    def load(self, way: str, name: str, rate: int, for_s: float) -> None:
        """Load it, and record the figures under this name."""
        measured = load(self._flows[way], rate, for_s)
        figures = {"cpu_us": measured.cpu_us, "load_us": measured.load_us, "per_s": measured.per_s}
        for label, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
            figures[f"{label}_ms"] = measured.percentile_ms(share)
        for unit, value in figures.items():
            self.found[f"{way} {name} {unit}"].append(value)


def load(flow: Flow, rate: int, for_s: float) -> Measured:
    """`rate`: messages per second in all; 0 for as many as go through."""
    return flow.paced(rate, for_s) if rate else flow.saturated(WINDOW, for_s)


def flows(clients: Crew, pair: Pair, *, register: bool) -> dict[str, Flow]:
    """Log in senders, and receivers of the same and of the other domain: a flow within, and one across."""
    here, there = pair.servers[:2]
    senders, near, far = (
        [clients.log_in(server, f"{name}{number}", register=register) for number in range(PAIRS)]
        for name, server in (("romeo", here), ("benvolio", here), ("juliet", there))
    )
    return {
        way: Flow(clients, [(s, line, jid) for (s, _), (line, jid) in zip(senders, to, strict=True)], pair.processes)
        for way, to in zip(WAYS, (near, far), strict=True)
    }
