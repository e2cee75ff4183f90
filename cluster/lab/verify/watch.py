"""Checks a running lab while a person experiments with it, and reports a broken promise within seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from copy import copy

from rich.console import RenderableType

from cluster.lab.api import Lab
from cluster.lab.verify.checker import Checker
from cluster.lab.verify.live import running
from cluster.lab.verify.read import as_it_is
from cluster.lab.verify.render import route
from cluster.lab.verify.report import BREAKING, Counts
from cluster.lab.verify.run import Outcome, Run

SHARE = 0.1
"""Of the rates of a run: ten messages per second each way, and a presence and an iq, disturb nobody."""

LOOK_EVERY_S = 0.5
_ENDLESS = "10080m"

Show = Callable[[RenderableType], None]


class Watch:
    """Observes a run that ends with Ctrl-C, and prints its findings at once."""

    def __init__(self, run: Run, show: Show) -> None:
        self._run = run
        self._show = show
        self._next_s = 0.0
        self._told = [Counts() for _ in run.checkers]
        self._shown = [0] * len(run.checkers)
        self._faults = self._strays = 0

    def show(self, now_s: float, sent: int, arrived: int, doing: Sequence[str]) -> None:
        """Check what is new; called often."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + LOOK_EVERY_S
        self._tell_faults(now_s)
        for stray in self._run.strays[self._strays :]:
            self._strays += 1
            self._show(f"{now_s:8.2f} s  BROKEN  misdelivered: {stray}")
        self._run.check()
        for index, checker in enumerate(self._run.checkers):
            self._tell_counts(now_s, checker, self._told[index])
            self._told[index] = copy(checker.counts)
            new, self._shown[index] = checker.examples[self._shown[index] :], len(checker.examples)
            self._run.add_routes(new)
            for line in (line for example in new for line in route(checker.leg.name, example)):
                self._show(line)

    def _tell_counts(self, now_s: float, checker: Checker, before: Counts) -> None:
        """Print the promises that are newly broken."""
        for name in BREAKING:
            count, told = getattr(checker.counts, name), getattr(before, name)
            if count > told:
                word = "duplicated with the same stanza-id" if name == "unexplained" else name.replace("_", " ")
                self._show(f"{now_s:8.2f} s  BROKEN  {word}: {count:,}, {checker.leg.name}")

    def end(self) -> None:
        """Nothing on the screen has to be removed."""

    def _tell_faults(self, now_s: float) -> None:
        """Print what a person breaks, from the checker's record."""
        faults = list(self._run.faults)
        for fault in faults[self._faults :]:
            self._show(f"{now_s:8.2f} s  {fault.what}")
        self._faults = len(faults)


def watch(lab: Lab, show: Show) -> Outcome:
    """Run until KeyboardInterrupt; returns the result. Raises LabError, BadInput."""
    scenario = as_it_is(lab.plan, duration=_ENDLESS, share=SHARE)
    with ExitStack() as stack:
        run = running(lab, scenario, stack)
        flows = ", ".join(checker.leg.name for checker in run.checkers if checker.leg.is_first)
        show(f"watching lab {lab.name} until Ctrl-C: {flows}")
        with suppress(KeyboardInterrupt):
            run.play(Watch(run, show))
        return run.outcome_so_far(is_complete=True)
