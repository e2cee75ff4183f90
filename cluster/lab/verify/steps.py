"""The steps of a scenario, each at its time; faults go into the checker's own record."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from cluster.base.units import NONE
from cluster.client.managed import ManagedClient
from cluster.lab.api import Lab
from cluster.lab.errors import LabError
from cluster.lab.verify.faultlog import FaultLog
from cluster.lab.verify.records import Link
from cluster.lab.verify.report import StepReport
from cluster.lab.verify.timetable import Action, Planned
from cluster.lab.wait import wait_until
from cluster.topology.links import directions
from cluster.topology.plan import Plan

READY_TIMEOUT_S = 60.0
"""How long a step waits for a node that an earlier step has ended."""

MEND_TIMEOUT_S = 10.0
"""How long the end of a run waits until paused nodes and cut connections are back."""


class Steps:
    """Executes the steps of a scenario, each in its own thread, so that none waits for an earlier one.

    `stop` ends all effects, also in the middle of a step: nothing outlives the run.
    """

    def __init__(
        self,
        lab: Lab,
        plan: Plan,
        steps: Sequence[Planned],
        clients: Mapping[str, Sequence[ManagedClient]],
        faults: FaultLog,
        now_s: Callable[[], float],
    ) -> None:
        """`clients`: by account; `faults`: records what is broken; `now_s`: since the start."""
        self.reports: list[StepReport] = []
        self.errors: list[LabError] = []
        self._lab = lab
        self._plan = plan
        self._clients = clients
        self._faults = faults
        self._now_s = now_s
        self._begun: list[str] = []
        self._unmended: list[tuple[str, str, Mapping[str, str]]] = []
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=each, name=str(each.action), daemon=True) for each in steps
        ]

    def start(self) -> None:
        """Start each step when it is due."""
        for thread in self._threads:
            thread.start()

    @property
    def are_done(self) -> bool:
        """Whether all steps are over, and their effects on nodes too."""
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Start no more steps, and end all effects: paused nodes continue, and links have no faults of the run."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(MEND_TIMEOUT_S)
        for from_, to, faults in self._unmended:
            with suppress(LabError):  # Redis is away: the lab is changed for other reasons
                self._mend(from_, to, faults)

    @property
    def under_way(self) -> list[str]:
        """The steps that have begun and are not over."""
        return [*self._begun]

    def _run(self, at_s: float, action: Action) -> None:
        if self._stopping.wait(max(0.0, at_s - self._now_s())):
            return
        begun_s = self._now_s()
        self._begun.append(str(action))
        try:
            self._do(action)
        except LabError as error:
            self.errors.append(error)
        self._begun.remove(str(action))
        self.reports.append(StepReport(str(action), begun_s, self._now_s() - begun_s))

    def _do(self, action: Action) -> None:
        match action.action:
            case "kill" | "restart" as how:
                with self._broken(action, action.target):
                    self._lab.act(action.target, how, action.for_)
            case "pause":
                with self._broken(action, action.target):
                    self._lab.act(action.target, "pause")
                    self._stopping.wait(action.for_)
                    self._lab.act(action.target, "resume")
            case "partition":
                assert action.partition is not None
                one, other = action.partition
                self._break(action, [(one, other), (other, one)], {"down": "always"})
            case "fault":
                assert action.fault is not None
                self._break(action, directions(action.fault), action.fault_texts)
            case "cut":
                with self._broken(action):
                    for client in self._clients[action.target]:
                        client.cut(action.for_)
                    self._stopping.wait(action.for_)

    @contextmanager
    def _broken(self, action: Action, node: str = "") -> Iterator[None]:
        """A node or a connection is broken inside; a node is waited for first, since an earlier step may have broken
        it."""
        if node:
            wait_until(lambda: self._is_running(node), READY_TIMEOUT_S)
        fault = self._faults.begin(str(action), self._now_s())
        try:
            yield
        finally:
            fault.end_s = self._now_s()

    def _is_running(self, node: str) -> bool:
        return all(each.state == "running" for each in self._lab.nodes() if each.name == node)

    def _break(self, action: Action, links: Sequence[tuple[str, str]], faults: Mapping[str, str]) -> None:
        """Give the links these faults, and remove them after `for`; without it, at the end of the run."""
        noted = [self._faults.begin(str(action), self._now_s(), self._domains(link), faults) for link in links]
        for from_, to in links:
            self._lab.faults.set(from_, to, faults)
        if not action.for_:
            self._unmended += [(from_, to, faults) for from_, to in links]
            return
        self._stopping.wait(action.for_)
        for from_, to in links:
            self._mend(from_, to, faults)
        for fault in noted:
            fault.end_s = self._now_s()

    def _mend(self, from_: str, to: str, faults: Mapping[str, str]) -> None:
        self._lab.faults.set(from_, to, dict.fromkeys(faults, NONE))

    def _domains(self, link: tuple[str, str]) -> Link:
        from_, to = (self._plan.server_named(name).domain for name in link)
        return from_, to
