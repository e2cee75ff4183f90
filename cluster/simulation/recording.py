"""The recording of a run: a folder as of a lab that is down, with its plan, its journal and its time line."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Protocol

import msgspec
from typing_extensions import override

from cluster.lab.api.timeline import LabTimeline
from cluster.lab.folder import LabFolder
from cluster.lab.lines import LineFile
from cluster.lab.state import NodeState, State
from cluster.lab.timeline.changes import StateChanges
from cluster.lab.timeline.rows import MAX_MARK_CHARACTERS, LinkRow, Mark, NodeRow, Row, encoded
from cluster.lab.tracing import kept
from cluster.router.settings import texts
from cluster.topology.plan import Plan
from cluster.trace.hop import Hop, Journal
from cluster.trace.stretches import ARROW, Stretches

if TYPE_CHECKING:
    from cluster.base.histogram import Measured
    from cluster.lab.timeline.period import Period
    from cluster.simulation.lab import SimulatedLab

PREFIX = "sim-"
"""Of the ids of stanzas that only the recording follows."""
MAX_HOPS = 500
"""Hops that wait until they are written."""


class Watcher(Protocol):
    """Sees a run while it goes on, and may hold it up."""

    def on_hop(self, hop: Hop) -> None:
        """This is recorded, within an event of the run: it must not raise."""

    def on_second(self, now_utc_s: float) -> None:
        """A virtual second is over. What it raises ends the run."""


class Unwatched(Watcher):
    """Nobody watches."""

    @override
    def on_hop(self, hop: Hop) -> None:
        pass

    @override
    def on_second(self, now_utc_s: float) -> None:
        pass


class RecordedJournal(Journal):
    """The journal of a node that chooses no stanzas to follow: what others follow for the recording is only in it."""

    def __init__(self, of_run: Journal, recording: Recording) -> None:
        self._of_run = of_run
        self._recording = recording

    @override
    def append(self, hop: Hop) -> None:
        self._recording.append(hop)
        if not hop.trace_id.startswith(PREFIX):
            self._of_run.append(hop)


class Recording(Journal):
    """Takes hops and marks, and a look at the lab in each virtual second. The run does not depend on it."""

    def __init__(self, folder: LabFolder, plan: Plan, watcher: Watcher) -> None:
        """`folder` is created. Raises OSError if it cannot be written, and LabError if it is another user's."""
        folder.create()
        folder.save_plan(msgspec.structs.replace(plan, state_dir=str(folder.path), sample_every=1))
        self._folder = folder
        self._timeline = LineFile(folder.timeline)
        self._journal = LineFile(folder.journal, plan.journal_bytes // 2)
        self._watcher = watcher
        self._hops: list[Hop] = []
        self._ids = 0
        self._stretches = Stretches()
        self._changes = StateChanges()
        self._written: dict[str, int] = {}
        self._begin_utc_s = self._end_utc_s = 0.0
        self._measured: Measured = {}

    def new_id(self) -> str:
        """An id for a stanza that is followed for the recording."""
        self._ids += 1
        return f"{PREFIX}{self._ids}"

    @override
    def append(self, hop: Hop) -> None:
        self._watcher.on_hop(hop)
        self._hops.append(hop)
        if len(self._hops) >= MAX_HOPS:
            self._flush()

    def mark(self, at_utc_s: float, what: str) -> None:
        """Note that this was done to the lab."""
        self._timeline.append(encoded(Mark(round(at_utc_s, 3), what[:MAX_MARK_CHARACTERS])))

    def second(self, lab: SimulatedLab) -> None:
        """Look at the lab, at the end of a virtual second."""
        self._flush()
        nodes = _nodes(lab)
        for mark in self._changes.marks(nodes, lab.utc_s()):
            self._timeline.append(encoded(mark))
        counts = self._stretches.stanzas, self._stretches.failures
        rows = {node.name: NodeRow(node.state, None, None) for node in nodes}
        row = Row(lab.utc_s(), 1.0, rows, self._links(lab), self._stretches.take_times(), *counts)
        self._timeline.append(encoded(row))
        self._watcher.on_second(lab.utc_s())

    def end(self, begin_utc_s: float, end_utc_s: float, measured: Measured) -> None:
        """The run is over; this is what it has measured."""
        self._flush()
        self._begin_utc_s, self._end_utc_s, self._measured = begin_utc_s, end_utc_s, measured

    def period(self, title: str) -> Period:
        """The time line of the run that is over, with what it has measured."""
        return LabTimeline(self._folder).period(title, self._begin_utc_s, floor(self._end_utc_s), self._measured)

    def close(self) -> None:
        """Close the files."""
        self._flush()
        self._journal.close()
        self._timeline.close()

    def _flush(self) -> None:
        if self._hops:
            self._journal.append(kept.encoded(self._hops))
            self._stretches.take(self._hops)
            self._hops = []

    def _links(self, lab: SimulatedLab) -> dict[str, LinkRow]:
        """Those that have something to tell."""
        names = {node.domain: node.server for node in lab.plan.ours}
        before, self._written = self._written, {}
        rows = {}
        for link in lab.backbone.links():
            name = f"{names[link.from_]}{ARROW}{names[link.to]}"
            self._written[name] = link.written
            faults = texts(lab.faults_of(link.from_, link.to), lab.timeline.seconds())
            row = LinkRow(link.written - before.get(name, 0), link.waiting, faults)
            if row.written or row.waiting or row.faults:
                rows[name] = row
        return rows


def _nodes(lab: SimulatedLab) -> list[NodeState]:
    """All nodes, Redis first."""
    nodes = [NodeState(name, "server", state=lab.state_of(name)) for name in lab.planned]
    if lab.redis is None:
        return nodes
    away: State = "paused" if lab.redis.is_paused else "restarting"
    return [NodeState("redis", "redis", state="running" if lab.redis.is_up else away), *nodes]
