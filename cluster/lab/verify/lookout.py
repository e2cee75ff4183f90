"""Records what others break during a run: nodes that die or hang, and faults that are set on links.

So the experiments of a person are in the checker's record.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from cluster.lab.answers import LinkState
from cluster.lab.api import Lab
from cluster.lab.errors import LabError
from cluster.lab.state import NodeState
from cluster.lab.verify.faultlog import Fault, FaultLog
from cluster.lab.verify.records import Link

LOOK_EVERY_S = 0.5


class Lookout(threading.Thread):
    """Records what it sees, from its start until `stop`."""

    def __init__(self, lab: Lab, faults: FaultLog, now_s: Callable[[], float]) -> None:
        """Reads the faults of the links at once: those that are set already act from the start."""
        super().__init__(name="lookout", daemon=True)
        self.is_gone = False
        """The lab was taken down."""
        self._lab = lab
        self._faults = faults
        self._now_s = now_s
        self._links: dict[Link, Fault] = {}
        self._down: dict[str, Fault] = {}
        self._started_utc: dict[str, str] = {}
        self._last_s = now_s()
        self._stopping = threading.Event()
        self._look_at_links(lab.faults.ls())

    @property
    def is_redis_down(self) -> bool:
        """A request to Redis would block."""
        return "redis" in self._down

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()

    def run(self) -> None:
        """Until `stop`."""
        while not self._stopping.is_set():
            try:
                self._look_at_nodes(self._lab.nodes())
                self.is_gone = not self._lab.is_up
                if not self.is_redis_down:
                    self._look_at_links(self._lab.faults.ls())
            except LabError:
                pass  # Redis is away just now; the next look shows it
            self._last_s = self._now_s()
            self._stopping.wait(LOOK_EVERY_S)

    def _look_at_nodes(self, nodes: list[NodeState]) -> None:
        """A node is down from the last look that saw it running."""
        for node in nodes:
            is_new = self._started_utc.setdefault(node.name, node.started_utc) != node.started_utc
            if (node.state != "running" or is_new) and node.name not in self._down:
                why = "is paused" if node.state == "paused" else f"died ({node.last_exit or 'it is started again'})"
                self._down[node.name] = self._faults.begin(f"{node.name} {why}", self._last_s)
            if node.state == "running" and node.name in self._down:
                self._down.pop(node.name).end_s = self._now_s()
            self._started_utc[node.name] = node.started_utc

    def _look_at_links(self, links: list[LinkState]) -> None:
        now_s = self._now_s()
        found = {(link.from_domain, link.to_domain): link for link in links if link.faults}
        for ends, fault in list(self._links.items()):
            if ends not in found or found[ends].faults != fault.settings:
                fault.end_s = now_s
                del self._links[ends]
        for ends, link in found.items():
            if ends not in self._links:
                words = ", ".join(f"{key} {value}" for key, value in link.faults.items())
                what = f"{words} on {link.from_} → {link.to}"
                self._links[ends] = self._faults.begin(what, self._last_s, ends, link.faults)
