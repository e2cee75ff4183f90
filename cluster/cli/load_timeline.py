"""The time line of a load test: what the lab recorded, and what each process of the load generator has measured."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from cluster.base.histogram import Histogram, Measured, Outcomes
from cluster.cli.seconds_file import write_csv, write_html
from cluster.cli.table import print_table
from cluster.lab.api import Lab

if TYPE_CHECKING:
    from cluster.lab.timeline.period import Period, Total

FOLDER = "XMPPLAB_SECONDS"
"""As in loadtests/seconds.py, which imports locust."""
MAX_HOPS = 30
"""Rows of the table."""


class LoadTimeline:
    """One run, from its beginning."""

    def __init__(self, lab: Lab | None, folder: Path) -> None:
        self.environment = {FOLDER: str(folder)}
        """For the processes of the load generator."""
        self._lab = lab
        self._folder = folder
        self._begin_utc_s = time.time()

    def end(self, title: str) -> Period:
        """The run is over, and its processes have ended."""
        from cluster.lab.timeline.period import alone

        measured, end_utc_s = read(self._folder), time.time()
        if self._lab is None:
            return alone(title, self._begin_utc_s, end_utc_s, measured)
        return self._lab.timeline.period(title, self._begin_utc_s, end_utc_s, measured)


@contextmanager
def load_timeline(lab: Lab | None) -> Iterator[LoadTimeline]:
    """A share of the stanzas is followed inside. `lab`: None where the load is on other servers."""
    following = nullcontext() if lab is None else lab.following_a_share()
    with TemporaryDirectory(prefix="xmpplab-") as folder, following:
        yield LoadTimeline(lab, Path(folder))


def read(folder: Path) -> Measured:
    """What all processes together have measured."""
    found: Measured = {}
    for file in folder.glob("*.json"):
        for name, seconds in msgspec.json.decode(file.read_bytes(), type=Measured).items():
            for at, outcomes in seconds.items():
                both = found.setdefault(name, {}).setdefault(at, Outcomes(Histogram()))
                both.times.merge(outcomes.times.counts)
                both.failed += outcomes.failed
    return found


def write(shown: Period, html: Path | None, prefix: Path | None) -> None:
    """The page, and beside the CSV files of locust PREFIX_seconds.csv and PREFIX_hops.csv."""
    if html is not None:
        write_html(html, shown)
    if prefix is not None:
        write_csv(Path(f"{prefix}_seconds.csv"), shown)
        with Path(f"{prefix}_hops.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("Name", "Count", "50%", "95%", "99%", "100%"))
            writer.writerows(
                (hop.name, hop.count, hop.p50_ms, hop.p95_ms, hop.p99_ms, hop.max_ms) for hop in shown.hops
            )


def print_hops(hops: list[Total]) -> None:
    """Where the time went; nothing if no stanza was followed."""
    if hops:
        rows = [(hop.name, f"{hop.count:,}", hop.p50_ms, hop.p95_ms, hop.p99_ms, hop.max_ms) for hop in hops[:MAX_HOPS]]
        print()
        print_table(["WHERE THE TIME WENT", "FOLLOWED", "P50 MS", "P95 MS", "P99 MS", "MAX MS"], rows)
    if len(hops) > MAX_HOPS:
        print(f"and {len(hops) - MAX_HOPS} more, which --html and --csv show")
