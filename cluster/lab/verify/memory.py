"""The memory of the lab's nodes during a scenario."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Sequence

import psutil

from cluster.lab.api import Lab
from cluster.lab.errors import LabError
from cluster.lab.overview import first_of_each
from cluster.lab.verify.report import MemoryReport

LOOK_EVERY_S = 1.0

Sample = tuple[float, dict[str, int]]
"""Time, and resident bytes by node."""


class MemoryWatch(threading.Thread):
    """Measures now and then, until `stop`."""

    def __init__(self, lab: Lab, now_s: Callable[[], float]) -> None:
        super().__init__(name="memory", daemon=True)
        self.samples: list[Sample] = []
        self._lab = lab
        self._now_s = now_s
        self._stopping = threading.Event()

    def run(self) -> None:
        """Measure until `stop`, and then once more."""
        self._look()
        while not self._stopping.wait(LOOK_EVERY_S):
            self._look()
        self._look()

    def stop(self) -> None:
        """Measure once more, and end."""
        self._stopping.set()

    def _look(self) -> None:
        self.samples.append((self._now_s(), resident_bytes(self._lab)))


def resident_bytes(lab: Lab) -> dict[str, int]:
    """Of each running process that this user may inspect, by the name of its first node."""
    found = {}
    try:
        for pid, node in first_of_each(lab.nodes()).items():
            if size := int(psutil.Process(pid).memory_info().rss):
                found[node.name] = size
    except (LabError, psutil.Error):
        pass  # it died just now; the next look shows it
    return found


def reports(samples: Sequence[Sample]) -> list[MemoryReport]:
    """Start, middle and end of the run: the medians of its first, middle and last tenth."""
    if not samples:
        return []
    first_s, last_s = samples[0][0], samples[-1][0]
    nodes = dict.fromkeys(node for _, taken in samples for node in taken)

    def around(node: str, part: float) -> int:
        at_s, width_s = first_s + part * (last_s - first_s), 0.1 * (last_s - first_s)
        near = [taken[node] for when_s, taken in samples if node in taken and abs(when_s - at_s) <= width_s]
        nearest = min((abs(when_s - at_s), taken[node]) for when_s, taken in samples if node in taken)[1]
        return int(statistics.median(near or [nearest]))

    return [MemoryReport(node, around(node, 0), around(node, 0.5), around(node, 1)) for node in nodes]
