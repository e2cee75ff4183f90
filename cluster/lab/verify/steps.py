"""What a scenario does to the lab, each thing in its time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from cluster.client.managed import ManagedClient
from cluster.lab import driver
from cluster.lab.errors import LabError
from cluster.lab.faults import set_faults
from cluster.lab.folder import LabFolder
from cluster.lab.verify.report import StepReport
from cluster.lab.verify.scenario import Step
from cluster.router.quantity import NONE
from cluster.topology.links import directions


class Steps:
    """Does all steps of a scenario, each on a thread of its own, so that none waits for an earlier one."""

    def __init__(
        self,
        folder: LabFolder,
        steps: Sequence[Step],
        clients: Mapping[str, Sequence[ManagedClient]],
        now_s: Callable[[], float],
    ) -> None:
        """`clients`: by the accounts that they are of; `now_s`: since the start of the run."""
        self.reports: list[StepReport] = []
        self.errors: list[LabError] = []
        self._folder = folder
        self._clients = clients
        self._now_s = now_s
        self._pause = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(step,), name=str(step), daemon=True) for step in steps
        ]

    def start(self) -> None:
        """Each when it is due."""
        for thread in self._threads:
            thread.start()

    @property
    def are_done(self) -> bool:
        """All are over, and what they did to nodes shows no more."""
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, step: Step) -> None:
        self._pause.wait(max(0.0, step.at - self._now_s()))
        begun_s = self._now_s()
        try:
            self._do(step)
        except LabError as error:
            self.errors.append(error)
        self.reports.append(StepReport(_text(step), begun_s, self._now_s() - begun_s))

    def _do(self, step: Step) -> None:
        match step.action:
            case "kill":
                driver.disturb(self._folder, step.target, "kill", step.for_)
            case "restart":
                driver.disturb(self._folder, step.target, "restart")
            case "pause":
                driver.disturb(self._folder, step.target, "pause")
                self._pause.wait(step.for_)
                driver.disturb(self._folder, step.target, "resume")
            case "partition":
                assert step.partition is not None
                one, other = step.partition
                self._break([(one, other), (other, one)], {"down": "always"}, step.for_)
            case "fault":
                assert step.fault is not None
                self._break(directions(step.fault), step.fault_texts, step.for_)
            case "cut":
                for client in self._clients[step.target]:
                    client.cut(step.for_)

    def _break(self, links: Sequence[tuple[str, str]], faults: Mapping[str, str], for_s: float) -> None:
        """Give the links these faults, and mend them after so long; 0: never."""
        for from_, to in links:
            set_faults(self._folder, from_, to, faults)
        if for_s:
            self._pause.wait(for_s)
            for from_, to in links:
                set_faults(self._folder, from_, to, dict.fromkeys(faults, NONE))


def _text(step: Step) -> str:
    return f"{step.action} {step.target}" + (f" for {step.for_:g} s" if step.for_ else "")
