"""The cost of growth: more domains, or more sessions.

More domains are measured twice. With a load for each domain, every server does the same work, so any increase is caused
by the others. With one load for all, fewer messages share a turn of a server, down to one.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster.xmpp.jid import Jid
from loadtests.bench import report
from loadtests.bench.crew import Crew, crew
from loadtests.bench.flow import Flow, Measured
from loadtests.bench.line import Line
from loadtests.bench.measure import RATES, Figures
from loadtests.bench.ours import running
from loadtests.bench.pair import Pair

DOMAINS = (2, 20, 200)
DOMAINS_SESSIONS = 400
"""Two for each of the 200 domains, so that every server has a sender and a receiver."""
SESSIONS = (100, 1_000, 5_000)
PER_DOMAIN = 5
"""Messages per second that each domain sends."""
_REST_S = 5.0
_FLOW_S = 15.0


def growth(quick: bool, tell: Callable[[str], None]) -> str:
    """CPU per message for each size, without what the servers use at rest."""
    own, together, sessions = dict[str, Figures](), dict[str, Figures](), dict[str, Figures]()
    for count in DOMAINS[:2] if quick else DOMAINS:
        name = f"{count} domains"
        own[name], together[name] = _measure(count, DOMAINS_SESSIONS, (PER_DOMAIN * count, RATES[0]))
        tell(f"{name}: {own[name]}, {together[name]}")
    for count in SESSIONS[:2] if quick else SESSIONS:
        name = f"{count} sessions"
        [sessions[name]] = _measure(2, count, (RATES[0],))
        tell(f"{name}: {sessions[name]}")
    found = {"own load": own, "one load": together, "sessions": sessions}
    tell(f"all figures: {report.save('growth', {'machine': report.machine(), 'runs': found})}")
    tables = {f"{PER_DOMAIN}/s from each domain": own, f"{RATES[0]:,}/s in all": together}
    return "\n\n".join("\n".join(_table(*each)) for each in [*tables.items(), (f"{RATES[0]:,}/s in all", sessions)])


def _table(load: str, found: dict[str, Figures]) -> list[str]:
    rows = [
        f"| {load} | CPU per message | ratio to the smallest | CPU at rest | p99 |",
        "| --- | --- | --- | --- | --- |",
    ]
    smallest = next(iter(found.values()))
    for name, figures in found.items():
        rows.append(
            f"| {name} | {figures['cpu_us']:.0f} µs | {figures['cpu_us'] / smallest['cpu_us']:.2f} "
            f"| {figures['rest_percent']:.1f} % of a core | {figures['p99_ms']:.1f} ms |"
        )
    return rows


def _measure(domains: int, sessions: int, rates: Sequence[int]) -> list[Figures]:
    """For each of the rates, in messages per second in all."""
    _allow_files()
    names = [f"d{number}.lit" for number in range(domains)]
    with (
        tempfile.TemporaryDirectory(prefix="xmpplab-bench-") as folder,
        running(Path(folder), names) as pair,
        crew(pair, tls=False) as clients,
    ):
        flow = Flow(clients, _ends(clients, pair, sessions // 2), pair.processes)
        flow.start()
        flow.paced(RATES[0], _REST_S)  # opens every link
        rest = _rest(clients, pair)
        return [_figures(flow.paced(rate, _FLOW_S), rest) for rate in rates]


def _figures(measured: Measured, rest: float) -> Figures:
    return {
        "cpu_us": measured.cpu_us - 1e6 * rest / measured.per_s,
        "rest_percent": 100 * rest,
        "p99_ms": measured.percentile_ms(0.99),
    }


def _ends(clients: Crew, pair: Pair, count: int) -> list[tuple[Line, Line, Jid]]:
    """Pairs across domains. The senders of a domain write to receivers in as many others as possible."""
    ends = []
    servers = pair.servers
    for number in range(count):
        here, turn = number % len(servers), number // len(servers)
        there = (here + 1 + turn % (len(servers) - 1)) % len(servers)
        sender, _ = clients.log_in(servers[here], f"romeo{number}", register=True)
        receiver, jid = clients.log_in(servers[there], f"juliet{number}", register=True)
        ends.append((sender, receiver, jid))
    return ends


def _rest(clients: Crew, pair: Pair) -> float:
    """Share of a core that is used while nothing is sent."""
    begun_s, cpu_s = time.monotonic(), pair.processes.cpu_s()
    while (passed_s := time.monotonic() - begun_s) < _REST_S:
        clients.serve(_REST_S - passed_s)
    return (pair.processes.cpu_s() - cpu_s) / passed_s


def _allow_files() -> None:
    """Each session is an open file, here and in the servers, which inherit this."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
