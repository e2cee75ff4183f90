"""A run of locust, by its CSV files: how far it is, and its figures."""

from __future__ import annotations

import csv
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from cluster.lab.timeline.period import Total

Row = Mapping[str, str]
LOOK_EVERY_S = 0.5
"""locust writes its files once a second."""
ENDS_WITHIN_S = 60.0
"""After it was told to: its users wait for what is under way, but not so long."""
LOOPBACK = "127.0.0.1"
OF_GENERATOR = "LOAD"
"""The type of rows about the load generator itself (loadtests/loop.py)."""


class Measured(msgspec.Struct, frozen=True):
    """What was measured under one name; times in milliseconds, None where all of it failed."""

    name: str
    count: int
    failed: int
    per_second: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class Failure(msgspec.Struct, frozen=True):
    """A kind of failure."""

    name: str
    """Of what was measured."""
    error: str
    count: int


class LoadReport(msgspec.Struct, frozen=True):
    """The figures of a load test, as `load` shows them."""

    measured: list[Measured]
    failures: list[Failure]
    hops: list[Total] = msgspec.field(default_factory=list)
    """Where the time went: at the nodes and over the links of the lab, of the stanzas that were followed."""


class LoadRun:
    """One run, which begins at once. It writes no log and no tables, only warnings."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], prefix: Path) -> None:
        """`prefix`: of its CSV files."""
        self._prefix = prefix
        # in a process group of its own: Ctrl-C is for this process, which tells locust to end
        self._process = subprocess.Popen(
            [*argv, "--csv", str(self._prefix), "--only-summary", "--skip-log-setup"],
            env=environment, stdin=subprocess.DEVNULL, process_group=0,
        )  # fmt: skip

    def wait(self, is_stopped: Callable[[], bool], tell: Callable[[str], None]) -> int:
        """Wait for its end, or end it early; returns its exit code. `tell` gets how far it is."""
        told_s: float | None = None
        while True:
            try:
                code = self._process.wait(LOOK_EVERY_S)
            except subprocess.TimeoutExpired:
                if told_s is None and is_stopped():
                    self._process.send_signal(signal.SIGTERM)
                    told_s = time.monotonic()
                elif told_s is not None and time.monotonic() - told_s > ENDS_WITHIN_S:
                    self._process.kill()
                tell(f"{self._counted()}{'; waiting for what is under way' if told_s is not None else ''}")
            else:
                return code if code in (0, 2) else 1  # 2: of its options

    def _counted(self) -> str:
        rows = [row for row in self._rows() if row["Type"] != OF_GENERATOR]
        if not rows:
            return "starting"
        count, failed = (sum(int(row[name]) for row in rows) for name in ("Request Count", "Failure Count"))
        return f"{count:,} measured, {failed:,} failed"

    def report(self) -> LoadReport:
        """The figures so far."""
        return LoadReport([_measured(row) for row in self._rows()], [_failure(row) for row in self._read("failures")])

    def _rows(self) -> list[Row]:
        return [row for row in self._read("stats") if row["Name"] != "Aggregated"]  # the sum of unlike things

    def _read(self, what: str) -> list[Row]:
        try:
            with Path(f"{self._prefix}_{what}.csv").open(newline="") as file:
                return [
                    row for row in csv.DictReader(file) if None not in row.values()
                ]  # the last one may be incomplete
        except FileNotFoundError:
            return []


def _measured(row: Row) -> Measured:
    times = (None if row[share] == "N/A" else float(row[share]) for share in ("50%", "95%", "99%", "100%"))
    per_second = round(float(row["Requests/s"]), 1)
    return Measured(row["Name"], int(row["Request Count"]), int(row["Failure Count"]), per_second, *times)


def _failure(row: Row) -> Failure:
    return Failure(row["Name"], row["Error"], int(row["Occurrences"]))


def free_port(wanted: int = 0) -> int:
    """This port of the loopback, or another one if somebody uses it."""
    try:
        with socket.create_server((LOOPBACK, wanted)) as listening:
            return int(listening.getsockname()[1])
    except OSError:
        return free_port()
