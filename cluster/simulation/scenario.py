"""Scenarios of `xmpplab verify` in virtual time: the same flows, steps, promises and report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random

import msgspec
from typing_extensions import override

from cluster.lab.errors import BadInput
from cluster.lab.verify.progress import Observer
from cluster.lab.verify.report import BrokenPromise
from cluster.lab.verify.run import Run
from cluster.lab.verify.scenario import Scenario
from cluster.lab.verify.seconds import by_second
from cluster.lab.verify.timetable import Planned, planned
from cluster.simulation.collection import collected_by_events
from cluster.simulation.errors import logged_errors
from cluster.simulation.invariants import rosters
from cluster.simulation.lab import SimulatedLab
from cluster.simulation.report import Played
from cluster.simulation.router_kind import RouterKind
from cluster.simulation.stage import REDIS, SimulatedStage
from cluster.topology.plan import Plan

KEPT_HOPS = 200_000
"""Of the lab of a run, for the routes of its examples."""
SHIFT_S = 0.05
"""A step begins less than this after its time, and then between two events: the seed chooses."""
SETTLE_S = 900.0
"""Maximum time until nothing is left of the clients; longer than the timeout of sessions whose client is gone."""
LEFT_EVERY_S = 1.0
MAX_TOLD = 5
"""Details of one broken promise."""


def check(plan: Plan, scenario: Scenario, router: RouterKind) -> None:
    """Raises BadInput that lists all parts of the scenario that cannot be simulated, with remedies."""
    if found := [*_not_simulated(plan, scenario, router)]:
        text = "\n".join(f"  {each}" for each in found)
        raise BadInput(f"scenario {scenario.name} cannot be simulated; `xmpplab verify` runs it on a lab:\n{text}")


def _not_simulated(plan: Plan, scenario: Scenario, router: RouterKind) -> Iterator[str]:
    for number, flow in enumerate(scenario.flows, 1):
        if flow.rate is None:
            yield f"flow {number}: `rate: max` has no end where nothing takes time; write a number"
    nodes = (
        {node.name for node in plan.ours}
        | {gateway.name for gateway in plan.gateways}
        | ({REDIS} if router == "redis" else set())
    )
    for number, step in enumerate(scenario.steps, 1):
        for action in step.choices:
            if action.action in ("kill", "restart", "pause") and action.target not in nodes:
                remedy = f"leave `{action}` out" if action.target != REDIS else "add `--router redis`"
                yield f"step {number}: {action.target} is not simulated; {remedy}"
    if scenario.promises.memory_growth is not None:
        yield "`memory_growth`: all nodes share the memory of one process; leave it out"


def schedule(scenario: Scenario, seed: int) -> list[Planned]:
    """The steps of a run, with the choices of the seed."""
    return planned(scenario.steps, seed if scenario.seed is None else scenario.seed)


def _shifted(steps: Sequence[Planned], seed: int) -> list[Planned]:
    """Each a little later, independently of the others: without one of them the others happen as before."""
    return [
        Planned(each.at_s + Random(f"{seed} {each.action} {each.at_s:.3f}").uniform(0, SHIFT_S), each.action)
        for each in steps
    ]


def play(
    lab: SimulatedLab,
    scenario: Scenario,
    steps: Sequence[Planned],
    progress: Observer,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Played:
    """Run a scenario with these steps, at moments that the lab's seed chooses. The same arguments give the same digest.

    Once `is_stopped` is true, the report is of the run so far. Raises LabError if a client cannot log in.
    """
    began_s = time.perf_counter()
    with logged_errors() as errors, collected_by_events(lab.timeline, len(scenario.flows)):
        stage = SimulatedStage(lab, is_stopped)
        stage.start()
        outcome = Run(stage, scenario, lab.seed, _shifted(steps, lab.seed)).completed(progress)
        found = [*_whole_view(stage)] if outcome.report.is_complete else []
    if lab.recording is not None:
        begin_utc_s = outcome.begin_utc_s
        measured = by_second(outcome.checkers, begin_utc_s)
        lab.recording.end(begin_utc_s, begin_utc_s + outcome.report.seconds, measured)
    if errors:
        found.append(BrokenPromise("errors", f"errors: {len(errors):,} logged, such as: {errors[0]}"))
    report = msgspec.structs.replace(
        outcome.report, broken=outcome.report.broken + found, failures=outcome.report.failures + found
    )
    real_s = time.perf_counter() - began_s
    return Played(report, lab.journal.digest, lab.timeline.seconds(), real_s)


class Shown(Observer):
    """The progress of a run, in one line. See `cluster.lab.verify.progress.Observer`."""

    def __init__(self, tell: Callable[[str], None], seed: int) -> None:
        self._tell = tell
        self._seed = seed

    @override
    def show(self, now_s: float, sent: int, arrived: int, doing: Sequence[str]) -> None:
        what = f"; {', '.join(doing)}" if doing else ""
        self._tell(f"seed {self._seed}: {now_s:,.0f} s, {sent:,} sent, {arrived:,} arrived{what}")

    def end(self) -> None:
        """The next run replaces the line."""


def _whole_view(stage: SimulatedStage) -> Iterator[BrokenPromise]:
    """What is left when all clients have gone, and rosters that disagree."""
    if wrong := [*rosters(stage.lab)]:
        yield BrokenPromise("rosters", f"rosters that disagree: {len(wrong):,}: {'; '.join(wrong[:MAX_TOLD])}")
    stage.leave()
    stage.wait_until(lambda: not stage.left_over(), SETTLE_S, LEFT_EVERY_S)
    if left := stage.left_over():
        yield BrokenPromise("left_over", f"left over: {len(left):,}: {'; '.join(left[:MAX_TOLD])}")
