"""The steps of a scenario, each at its time; faults go into the checker's own record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from cluster.base.units import NONE
from cluster.lab.errors import LabError
from cluster.lab.verify.faultlog import FaultLog
from cluster.lab.verify.records import Link
from cluster.lab.verify.report import StepReport
from cluster.lab.verify.stage import Script, Stage
from cluster.lab.verify.timetable import Action, Planned
from cluster.lab.verify.traffic import Client
from cluster.topology.links import directions

READY_TIMEOUT_S = 60.0
"""How long a step waits for a node that an earlier step has ended."""
LOOK_EVERY_S = 0.02


class Steps:
    """Executes the steps of a scenario, each as a part of its own, so that none waits for an earlier one.

    `stop` ends all effects, also in the middle of a step: nothing outlives the run.
    """

    def __init__(
        self,
        stage: Stage,
        steps: Sequence[Planned],
        clients: Mapping[str, Sequence[Client]],
        faults: FaultLog,
        now_s: Callable[[], float],
    ) -> None:
        """`clients`: by account; `faults`: records what is broken; `now_s`: since the start."""
        self.reports: list[StepReport] = []
        self.errors: list[LabError] = []
        self._stage = stage
        self._clients = clients
        self._faults = faults
        self._now_s = now_s
        self._begun: list[str] = []
        self._unmended: list[tuple[str, str, Mapping[str, str]]] = []
        self._is_stopping = False
        self._parts = [stage.script(f"{each.action} at {each.at_s:g} s", self._run(*each)) for each in steps]

    def start(self) -> None:
        """Start each step when it is due."""
        for part in self._parts:
            part.start()

    @property
    def are_done(self) -> bool:
        """Whether all steps are over, and their effects on nodes too."""
        return not any(part.is_alive() for part in self._parts)

    def stop(self) -> None:
        """Start no more steps, and end all effects: paused nodes continue, and links have no faults of the run."""
        self._is_stopping = True
        for part in self._parts:
            part.stop()
        for part in self._parts:
            if part.is_alive():
                part.join()
        for from_, to, faults in self._unmended:
            with suppress(LabError):  # Redis is away: the lab is changed for other reasons
                self._mend(from_, to, faults)

    @property
    def under_way(self) -> list[str]:
        """The steps that have begun and are not over."""
        return [*self._begun]

    def _run(self, at_s: float, action: Action) -> Script:
        yield max(0.0, at_s - self._now_s())
        if self._is_stopping:
            return
        begun_s = self._now_s()
        self._begun.append(str(action))
        try:
            yield from self._do(action)
        except LabError as error:
            self.errors.append(error)
        self._begun.remove(str(action))
        self.reports.append(StepReport(str(action), begun_s, self._now_s() - begun_s))

    def _do(self, action: Action) -> Script:
        match action.action:
            case "kill" | "restart" | "pause" as how:
                yield from self._until_running(action.target)
                with self._broken(action):
                    yield from self._stage.act(action.target, how, action.for_)
            case "partition":
                assert action.partition is not None
                one, other = action.partition
                yield from self._break(action, [(one, other), (other, one)], {"down": "always"})
            case "fault":
                assert action.fault is not None
                yield from self._break(action, directions(action.fault), action.fault_texts)
            case "cut":
                with self._broken(action):
                    for client in self._clients[action.target]:
                        client.cut(action.for_)
                    yield action.for_

    def _until_running(self, node: str) -> Script:
        """Wait for a node: an earlier step may have broken it."""
        deadline_s = self._now_s() + READY_TIMEOUT_S
        while not (self._is_stopping or self._stage.is_running(node) or self._now_s() >= deadline_s):
            yield LOOK_EVERY_S

    @contextmanager
    def _broken(self, action: Action) -> Iterator[None]:
        """A node or a connection is broken inside."""
        fault = self._faults.begin(str(action), self._now_s())
        try:
            yield
        finally:
            fault.end_s = self._now_s()

    def _break(self, action: Action, links: Sequence[tuple[str, str]], faults: Mapping[str, str]) -> Script:
        """Give the links these faults, and remove them after `for`; without it, at the end of the run."""
        noted = [self._faults.begin(str(action), self._now_s(), self._domains(link), faults) for link in links]
        for from_, to in links:
            self._stage.set_faults(from_, to, faults)
        if not action.for_:
            self._unmended += [(from_, to, faults) for from_, to in links]
            return
        yield action.for_
        for from_, to in links:
            self._mend(from_, to, faults)
        for fault in noted:
            fault.end_s = self._now_s()

    def _mend(self, from_: str, to: str, faults: Mapping[str, str]) -> None:
        self._stage.set_faults(from_, to, dict.fromkeys(faults, NONE))

    def _domains(self, link: tuple[str, str]) -> Link:
        from_, to = (self._stage.plan.server_named(name).domain for name in link)
        return from_, to
