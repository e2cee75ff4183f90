"""What the load generator itself costs, next to Tsung: the same users with the same server, one after the other."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import msgspec

from cluster.kinds.base.child import DidNotStart
from loadtests.bench import report
from loadtests.bench.cost import Processes
from loadtests.bench.crew import crew
from loadtests.bench.flow import Flow
from loadtests.bench.ours import running
from loadtests.bench.pair import Pair, Server
from loadtests.bench.tsung import MISSING, tsung
from loadtests.messages import BODY

DOMAIN = "montague.lit"
LOADS = {"1,000/s": (200, 5.0), "saturated": (100, 60.0)}
"""Users, and messages per second of each."""
IDLE = (100, 600)
"""Users whose memory is compared, at a message a minute."""
_ARRIVE_PER_S = 20
_SETTLE_S = 12.0
"""After the last login: what rests frees its memory within ten seconds."""
_FOR_S = 8.0
_LATENCY_TURNS = 3
_LOGGED_IN_WITHIN_S = 300.0


_Start = Callable[[Path, Server, list[str], int, float, int], AbstractContextManager[subprocess.Popen[bytes]]]


class Measured(msgspec.Struct):
    """One generator under one load."""

    cpu_us: float
    """Of the generator, for each message that the server got."""
    per_s: float
    memory_kib: int


def generator(turns: int, tell: Callable[[str], None]) -> str:
    """Measure, save the figures, and return the table."""
    starts: Mapping[str, _Start] = {"xmpplab load": _locust} | ({} if MISSING else {"tsung": tsung})
    if MISSING:
        tell(f"tsung is skipped: {MISSING}")
    found: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    accounts = [f"u{number}" for number in range(max(IDLE))]
    change = {"defaults": {"tls": "required"}, "accounts": {f"{name}@{DOMAIN}": {} for name in accounts}}
    with tempfile.TemporaryDirectory(prefix="xmpplab-bench-") as lab, running(Path(lab), [DOMAIN], change) as pair:
        server = _Counting(Path(lab), pair)
        for turn in range(turns):
            for name, start in starts.items():
                _measure(start, server, accounts, found[name])
                tell(f"turn {turn + 1} of {turns}: {name}: {dict(found[name])}")
            for _ in range(_LATENCY_TURNS):
                found["xmpplab load"]["p50_ms"].append(server.p50_ms(accounts[:200]))
                found["xmpplab load"]["reference p50_ms"].append(_reference_ms(pair))
    tell(f"all figures: {report.save('generator', {'machine': report.machine(), 'found': found})}")
    return "\n".join(_table(found))


def _table(found: defaultdict[str, defaultdict[str, list[float]]]) -> Iterator[str]:
    rows = {
        "CPU per message at 1,000/s, µs": "1,000/s cpu_us",
        "CPU per message, saturated, µs": "saturated cpu_us",
        "messages per second of one core, saturated": "saturated per_core",
        "memory of an idle user (TLS), KiB": "user_kib",
        "CPU of an idle user at a message a minute, µs per second": "user_us",
        "users of one core at a message a minute": "users_per_core",
        "delivery at 200/s, p50, ms": "p50_ms",
        "the same, by a load that does not parse": "reference p50_ms",
    }
    yield f"| | {' | '.join(found)} |"
    yield f"| --- |{' --- |' * len(found)}"
    for label, key in rows.items():
        cells = [_cell(figures.get(key)) for figures in found.values()]
        yield f"| {label} | {' | '.join(cells)} |"


def _cell(values: list[float] | None) -> str:
    if not values:
        return ""
    value = median(values)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _measure(start: _Start, server: _Counting, accounts: list[str], found: defaultdict[str, list[float]]) -> None:
    for label, (users, rate) in LOADS.items():
        measured = server.under(start, accounts[:users], rate)
        found[f"{label} cpu_us"].append(measured.cpu_us)
        if label == "saturated":
            found["saturated per_core"].append(1e6 / measured.cpu_us)
    few, many = (server.under(start, accounts[:users], 1 / 60) for users in IDLE)
    more = IDLE[1] - IDLE[0]
    found["user_kib"].append((many.memory_kib - few.memory_kib) / more)
    found["user_us"].append((many.cpu_us * many.per_s - few.cpu_us * few.per_s) / more)
    found["users_per_core"].append(1e6 / found["user_us"][-1])


class _Counting:
    """The server, which says how many messages and sessions it has."""

    def __init__(self, folder: Path, pair: Pair) -> None:
        self._folder = folder
        self._server = pair.servers[0]
        found = re.search(r'"metrics": ?"(http[^"]+)"', _ps(folder))
        assert found is not None
        self._url = found[1]

    def _count(self, metric: str) -> float:
        with urlopen(self._url, timeout=60) as answer:
            found = re.search(rf"^{metric}\{{.*\}} (\S+)$", answer.read().decode(), re.M)
        return float(found[1]) if found else 0.0

    def under(self, start: _Start, accounts: list[str], rate: float) -> Measured:
        """The figures of a generator while all of its users write."""
        with self._running(start, accounts, rate) as started:
            of_load = Processes([started.pid])
            cpu_s, begun_s = of_load.cpu_s(), time.monotonic()
            messages = self._count("xmpp_element_in_message_count")
            for_s = _FOR_S if rate > 1 else 4 * _FOR_S
            time.sleep(for_s)  # noqa: TID251  # what is measured goes on
            passed_s = time.monotonic() - begun_s
            messages = max(1.0, self._count("xmpp_element_in_message_count") - messages)
            used_us = 1e6 * (of_load.cpu_s() - cpu_s)
            return Measured(used_us / messages, messages / passed_s, of_load.memory_kib())

    def p50_ms(self, accounts: list[str]) -> float:
        """What our generator measures."""
        folder: Path | None = None
        with self._running(_locust, accounts, 1.0) as started:
            folder = Path(os.readlink(f"/proc/{started.pid}/cwd"))
            time.sleep(_FOR_S)  # noqa: TID251
            with (folder / "run_stats.csv").open(newline="") as file:
                rows = {row["Name"]: row for row in csv.DictReader(file)}
        return float(rows["deliver local"]["50%"])

    @contextmanager
    def _running(self, start: _Start, accounts: list[str], rate: float) -> Iterator[subprocess.Popen[bytes]]:
        with tempfile.TemporaryDirectory(prefix="xmpplab-bench-") as folder:
            (Path(folder) / "lab").symlink_to(self._folder / ".xmpplab" / "bench")
            with start(Path(folder), self._server, accounts, _ARRIVE_PER_S, rate, len(BODY)) as started:
                until_s = time.monotonic() + _LOGGED_IN_WITHIN_S
                while self._count("sm_session_count") < len(accounts):
                    if time.monotonic() > until_s or started.poll() is not None:
                        raise DidNotStart(f"not all of {len(accounts)} users are logged in")
                    time.sleep(0.5)  # noqa: TID251
                time.sleep(_SETTLE_S)  # noqa: TID251
                yield started
            while self._count("sm_session_count"):
                time.sleep(0.5)  # noqa: TID251


@contextmanager
def _locust(
    folder: Path, server: Server, accounts: list[str], per_s: int, rate: float, size: int
) -> Iterator[subprocess.Popen[bytes]]:
    """As `xmpplab load` starts it."""
    (folder / "accounts").write_text("".join(f"{each}@{server.domain} secret\n" for each in accounts))
    root = Path(__file__).parents[2]
    started = subprocess.Popen(
        [
            sys.executable, "-m", "locust", "-f", str(root / "loadtests" / "chat.py"), "--headless", "--only-summary",
            "--skip-log-setup", "-u", str(len(accounts)), "-r", str(per_s), "--rate", str(rate), "--cross", "0",
            "--accounts", "accounts", "--csv", "run", "--reset-stats",  # what begins during logins is not counted
        ],
        cwd=folder, env={**os.environ, "XMPPLAB_STATE": str(folder / "lab"), "PYTHONPATH": str(root)},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(60)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _reference_ms(pair: Pair) -> float:
    """The same delivery, measured by clients that only look for the end of a stanza."""
    with crew(pair, tls=True) as clients:
        server = pair.servers[0]
        ends = []
        for number in range(100):
            sender, _ = clients.log_in(server, f"u{2 * number}")
            receiver, jid = clients.log_in(server, f"u{2 * number + 1}")
            ends.append((sender, receiver, jid))
        flow = Flow(clients, ends, pair.processes)
        flow.start()
        return flow.paced(200, _FOR_S).percentile_ms(0.5)


def _ps(folder: Path) -> str:
    xmpplab = str(Path(sys.executable).with_name("xmpplab"))
    return subprocess.run([xmpplab, "ps", "--format", "json"], cwd=folder, capture_output=True, text=True).stdout
