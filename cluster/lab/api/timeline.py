"""What was recorded of a lab second by second, and what was done to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.base.histogram import Measured
    from cluster.lab.folder import LabFolder
    from cluster.lab.timeline.period import Period
    from cluster.lab.timeline.rows import Row, TimelineReader


class LabTimeline:
    """The time line of one lab, running or kept."""

    def __init__(self, folder: LabFolder) -> None:
        self._folder = folder

    def reader(self) -> TimelineReader:
        """All rows and marks from the first one on; each read gives what is new."""
        from cluster.lab.timeline.rows import TimelineReader

        return TimelineReader(self._folder.timeline)

    def period(self, title: str, begin_utc_s: float, end_utc_s: float, measured: Measured | None = None) -> Period:
        """A part of it, with what a run has measured in it; waits for the last row."""
        from cluster.lab.timeline.period import period
        from cluster.lab.timeline.recorder import EVERY_S
        from cluster.lab.timeline.rows import Recorded
        from cluster.lab.wait import wait_until

        reader, all_of_it = self.reader(), Recorded([], [])

        def has_end() -> bool:
            rows, marks = reader.read()
            all_of_it.rows.extend(rows)
            all_of_it.marks.extend(marks)
            return bool(all_of_it.rows) and all_of_it.rows[-1].at_utc_s >= end_utc_s

        wait_until(has_end, 3 * EVERY_S)
        return period(title, self._folder.name, all_of_it, begin_utc_s, end_utc_s, measured or {})

    def end_utc_s(self) -> float:
        """Its end, in seconds since the epoch: now, or that of a simulated run."""
        if not self._folder.journal.exists():
            return time.time()
        rows, _ = self.reader().read()
        return rows[-1].at_utc_s if rows else 0.0

    def row_at(self, at_utc_s: float) -> Row | None:
        """The row that a moment belongs to, in seconds since the epoch; None before the first one."""
        from cluster.lab.timeline.rows import row_at

        return row_at(self._folder.timeline, at_utc_s)

    def mark(self, *words: str) -> None:
        """Note that this was just done to the lab, in the words of the command that does it."""
        from cluster.lab.timeline.rows import add_mark

        add_mark(self._folder.timeline, *words)
