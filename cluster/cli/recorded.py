"""What `xmpplab simulate` shows of one run besides its report: hops as they happen, a page, and the folder of a lab."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cluster.cli.seconds_file import PAGE, check_file, write_html
from cluster.lab.api import BadInput

if TYPE_CHECKING:
    from cluster.simulation.api import Recording
    from cluster.topology.plan import Plan
    from cluster.trace.hop import Hop

LOOK_EVERY_S = 0.2
"""For an interrupt, while a paced run waits."""


class Views(NamedTuple):
    """What is wanted."""

    keep: Path | None
    """The folder."""
    html: Path | None
    """The page."""
    pace: float | None
    """Hops are shown at this many virtual seconds per second, 0: as fast as they come; None: they are not shown."""

    @property
    def are_wanted(self) -> bool:
        """There is something to show."""
        return self.keep is not None or self.html is not None or self.pace is not None

    def check(self, seeds: str, format: str) -> None:
        """Raises BadInput before the run. `seeds`: the option."""
        if self.are_wanted and seeds:
            raise BadInput("--watch, --html and --keep show one run; name it with --seed in place of --seeds")
        if self.pace is not None and format == "json":
            raise BadInput(
                "--watch is for people; leave out --format json, or use --keep run/ and "
                "`xmpplab watch --lab run/ --format json`"
            )
        if self.html is not None:
            check_file(self.html, PAGE)

    @contextmanager
    def recording(self, plan: Plan, title: str, is_stopped: Callable[[], bool]) -> Iterator[Recording | None]:
        """The recording of the run inside, if something is to be shown of it; then the page is written."""
        from cluster.simulation import api

        if not self.are_wanted:
            yield None
            return
        watcher = None if self.pace is None else _Paced(self.pace, is_stopped)
        with api.record(plan, self.keep, watcher) as recording:
            yield recording
            if self.html is not None:
                write_html(self.html, recording.period(title))
                print(f"written: {self.html}", file=sys.stderr)
        if self.keep is not None:
            print(f"kept: {self.keep}/, as the folder of a lab; try `xmpplab why --lab {self.keep}/`", file=sys.stderr)


class _Paced:
    """A `Watcher` that prints hops, and lets virtual time pass no faster than wanted."""

    def __init__(self, pace: float, is_stopped: Callable[[], bool]) -> None:
        self._pace = pace
        self._is_stopped = is_stopped
        self._begin: tuple[float, float] | None = None
        """The same moment in virtual and in real time."""
        self._error: OSError | None = None
        """Why nothing is printed any more: within an event of the run, it would be an error of a server."""

    def on_hop(self, hop: Hop) -> None:
        from cluster.cli.watch import shown

        if self._error is not None:
            return
        self._wait(hop.at_utc_ns / 1e9)
        try:
            print(shown(hop), flush=True)
        except OSError as error:
            self._error = error

    def on_second(self, now_utc_s: float) -> None:
        if self._error is not None:
            raise self._error
        self._wait(now_utc_s)

    def _wait(self, until_utc_s: float) -> None:
        if not self._pace:
            return
        now_s = time.monotonic()
        began_utc_s, began_s = self._begin = self._begin or (until_utc_s, now_s)
        due_s = began_s + (until_utc_s - began_utc_s) / self._pace
        while (left_s := due_s - time.monotonic()) > 0 and not self._is_stopped():
            threading.Event().wait(min(left_s, LOOK_EVERY_S))
