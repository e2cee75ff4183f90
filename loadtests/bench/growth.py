"""What growth costs: the same number of messages, spread over ever more domains, or over ever more sessions.

A thousand messages per second in all, so that each is alone on its way however many domains there are: where a flow
is saturated, more domains mean smaller batches, which is another question.
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
from loadtests.bench.flow import Flow
from loadtests.bench.line import Line
from loadtests.bench.measure import RATES, Figures
from loadtests.bench.ours import running
from loadtests.bench.pair import Pair

DOMAINS = (2, 20, 200)
DOMAINS_SESSIONS = 400
"""Two for each of the 200 domains, so that every server has somebody who sends and somebody who receives."""
SESSIONS = (100, 1_000, 5_000)
_REST_S = 5.0
_FLOW_S = 10.0


def growth(quick: bool, tell: Callable[[str], None]) -> str:
    """CPU per message for each size, without what the servers use at rest."""
    domains = {f"{count} domains": (count, DOMAINS_SESSIONS) for count in (DOMAINS[:2] if quick else DOMAINS)}
    sessions = {f"{count} sessions": (2, count) for count in (SESSIONS[:2] if quick else SESSIONS)}
    found: dict[str, Figures] = {}
    for name, (domain_count, session_count) in (domains | sessions).items():
        with tempfile.TemporaryDirectory(prefix="xmpplab-bench-") as folder:
            found[name] = _measure(Path(folder), domain_count, session_count)
        tell(f"{name}: {found[name]}")
    tell(f"all figures: {report.save('growth', {'machine': report.machine(), 'runs': found})}")
    return "\n".join([*_table(found, [*domains]), "", *_table(found, [*sessions])])


def _table(found: dict[str, Figures], names: Sequence[str]) -> list[str]:
    rows = ["| | CPU per message | beside the smallest | CPU at rest | p99 |", "| --- | --- | --- | --- | --- |"]
    for name in names:
        figures = found[name]
        ratio = figures["cpu_us"] / found[names[0]]["cpu_us"]
        rows.append(
            f"| {name} | {figures['cpu_us']:.0f} µs | {ratio:.2f} | {figures['rest_percent']:.1f} % of a core "
            f"| {figures['p99_ms']:.1f} ms |"
        )
    return rows


def _measure(folder: Path, domains: int, sessions: int) -> Figures:
    _allow_files()
    names = [f"d{number}.lit" for number in range(domains)]
    with running(folder, names) as pair, crew(pair, tls=False) as clients:
        flow = Flow(clients, _ends(clients, pair, sessions // 2), pair.processes)
        flow.start()
        flow.paced(RATES[0], _REST_S)  # opens every link
        rest = _rest(clients, pair)
        measured = flow.paced(RATES[0], _FLOW_S)
        return {
            "cpu_us": measured.cpu_us - 1e6 * rest / measured.per_s,
            "rest_percent": 100 * rest,
            "p99_ms": measured.percentile_ms(0.99),
        }


def _ends(clients: Crew, pair: Pair, count: int) -> list[tuple[Line, Line, Jid]]:
    """Pairs across domains. The senders of a domain write to receivers of as many others as there are."""
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
    """Share of a core that is used while nobody says anything."""
    begun_s, cpu_s = time.monotonic(), pair.processes.cpu_s()
    while (passed_s := time.monotonic() - begun_s) < _REST_S:
        clients.serve(_REST_S - passed_s)
    return (pair.processes.cpu_s() - cpu_s) / passed_s


def _allow_files() -> None:
    """Each session is an open file, here and in the servers, which inherit this."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
