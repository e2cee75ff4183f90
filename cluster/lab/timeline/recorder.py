"""Records the time line of a running lab: a look at its nodes, its links and its journal in every second."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from math import ceil, floor

from cluster.lab.answers import LinkView, Usage
from cluster.lab.api.lab import Lab
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN
from cluster.lab.lines import LineFile
from cluster.lab.overview import links_over
from cluster.lab.redis_client import connected
from cluster.lab.state import NodeState
from cluster.lab.timeline.changes import StateChanges
from cluster.lab.timeline.rows import LinkRow, NodeRow, Row, encoded
from cluster.redisio.keys import Keys
from cluster.topology.plan import Plan
from cluster.trace.hop import Hop
from cluster.trace.reader import JournalReader
from cluster.trace.stretches import ARROW, Stretches

EVERY_S = 1.0
MAX_SHARE = 0.02
"""Of a core: after a look that took more than this share of EVERY_S, the next one comes later."""
PATIENCE_S = 0.5
"""The links are left out of a row if Redis does not answer by then."""
MAX_HOPS = 5_000
"""Of one look; what is in the journal beyond them is left out."""


class Recorder:
    """Writes a row for each second, for a thread of its own."""

    def __init__(self, lab: Lab, stopping: threading.Event) -> None:
        """Raises OSError if the file cannot be written."""
        self._lab = lab
        self._identity = lab.folder.identity()
        self._file = LineFile(lab.folder.timeline)
        self._traffic = _Traffic(lab)
        self._changes = StateChanges()
        self._stopping = stopping

    def run(self) -> None:
        """Look again and again, until `stopping` is set, while the lab's folder exists."""
        last_s = None
        while self._lab.folder.is_same(self._identity):
            now_s, cpu_s = time.monotonic(), time.thread_time()
            row = self._look(now_s - (last_s or now_s))
            if row is not None and last_s is not None:  # the first one has nothing to be compared with
                self._file.append(encoded(row))
            last_s = now_s if row is not None else last_s
            if self._stopping.wait(pause_s(time.time(), time.thread_time() - cpu_s)):
                break
        self._file.close()

    def _look(self, took_s: float) -> Row | None:
        """The row of this moment; None if the state of the lab cannot be read just now."""
        try:
            nodes = self._lab.nodes()
            usages = {usage.node: usage for usage in self._lab.usages(nodes)}
        except LabError:
            return None
        at_utc_s = round(time.time(), 3)
        for mark in self._changes.marks(nodes, at_utc_s):
            self._file.append(encoded(mark))
        rows = {node.name: _node_row(node, usages.get(node.name)) for node in nodes}
        return self._traffic.complete(Row(at_utc_s, round(took_s, 3), rows))


def pause_s(now_utc_s: float, used_s: float) -> float:
    """The time until the next look: at the end of a whole second, where what runs have measured is cut, too.

    `used_s`: processor time of the last look.
    """
    seconds = max(1, ceil(used_s / MAX_SHARE / EVERY_S))
    return (floor(now_utc_s / EVERY_S) + seconds) * EVERY_S - now_utc_s


def _node_row(node: NodeState, usage: Usage | None) -> NodeRow:
    if usage is None:
        return NodeRow(node.state, None, None)
    return NodeRow(node.state, round(usage.cpu_percent, 1), usage.memory_bytes)


class _Traffic:
    """What the lab's Redis tells of links and stanzas."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._plan: tuple[int, Plan] | None = None
        self._looks = self._look_forever()
        self._stretches = Stretches()
        self._is_partial = False
        self._position: bytes | None = None
        """In the journal; None: at its end."""
        self._written: dict[str, int] | None = None
        """None: there is nothing to compare with."""

    def complete(self, row: Row) -> Row:
        """The row with all this since the last call; as it is while Redis does not answer."""
        links = next(self._looks)
        if links is None:
            return row
        counts = self._stretches.stanzas, self._stretches.failures, self._is_partial
        times = self._stretches.take_times()
        return Row(row.at_utc_s, row.took_s, row.nodes, self._link_rows(links), times, *counts)

    def _look_forever(self) -> Iterator[list[LinkView] | None]:
        """Read the journal, and yield the links; None where Redis does not answer."""
        while True:
            try:
                with connected(self._lab.folder.secrets()[ADMIN], PATIENCE_S) as redis:
                    while True:
                        plan = self._current_plan()
                        reader = JournalReader(redis, Keys.of_lab(plan.name))
                        self._read(reader)
                        yield links_over(redis, plan)
            except LabError:
                yield None

    def _read(self, reader: JournalReader) -> None:
        """Take what is new in the journal, of all nodes together: their entries come in any order."""
        new: list[Hop] = []
        self._is_partial = False
        position = reader.newest() if self._position is None else self._position
        for at, hops in reader.after(position):
            position = at
            new += hops
            if len(new) >= MAX_HOPS:
                self._is_partial = True
                break
        self._position = reader.newest() if self._is_partial else position
        self._stretches.take(new)

    def _current_plan(self) -> Plan:
        """It is read again when it was changed."""
        try:
            changed_ns = self._lab.folder.plan_file.stat().st_mtime_ns
        except OSError:
            changed_ns = 0  # reading it tells why
        if self._plan is None or self._plan[0] != changed_ns:
            self._plan = changed_ns, self._lab.plan
        return self._plan[1]

    def _link_rows(self, links: list[LinkView]) -> dict[str, LinkRow]:
        """Those that have something to tell."""
        written = {f"{link.from_}{ARROW}{link.to}": link.written for link in links}
        before, self._written = self._written, written
        new = {name: 0 if before is None else max(0, count - before.get(name, 0)) for name, count in written.items()}
        return {
            name: LinkRow(new[name], link.waiting, link.faults)
            for name, link in zip(written, links, strict=True)
            if new[name] or link.waiting or link.faults
        }
