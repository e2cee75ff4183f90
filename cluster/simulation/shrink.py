"""The smallest run that still fails: fewer troubles, steps, people and flows, as a scenario for a live lab."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from cluster.lab.verify.read import ScenarioFile
from cluster.lab.verify.timetable import Planned
from cluster.simulation.lab import SimulatedLab
from cluster.simulation.person import Person
from cluster.simulation.report import promise_of
from cluster.simulation.router_kind import RouterKind
from cluster.simulation.run import Course, Simulation
from cluster.simulation.scenario import play, schedule
from cluster.topology.plan import Plan

MAX_RUNS = 200
"""Then the smallest one so far is the result."""
ONLY_SIMULATED = "Without what only a simulation can do:"
AFTER_S = 10.0
"""How long people act after the last trouble, if that is enough."""

_WHEN = {"at", "every", "times"}
Part = TypeVar("Part")


class Trials:
    """Runs that tell whether a part of a failing run still fails."""

    def __init__(self, tell: Callable[[str], None], is_stopped: Callable[[], bool]) -> None:
        self._tell = tell
        self._is_stopped = is_stopped
        self._runs = 0

    def smallest(self, parts: Sequence[Part], fails: Callable[[Sequence[Part]], bool]) -> Sequence[Part]:
        """The parts that are needed to fail: without any one of them the run does not fail.

        Delta debugging, ddmin (A. Zeller, R. Hildebrandt: Simplifying and Isolating Failure-Inducing Input, 2002).
        """
        if self._is_failing([], fails):
            return []
        groups = 2
        while len(parts) > 1:
            size = -(-len(parts) // groups)
            for begin in range(0, len(parts), size):
                rest = [*parts[:begin], *parts[begin + size :]]
                if self._is_failing(rest, fails):
                    parts, groups = rest, max(groups - 1, 2)
                    break
            else:
                if groups >= len(parts):
                    break
                groups = min(len(parts), 2 * groups)
        return parts

    def _is_failing(self, parts: Sequence[Part], fails: Callable[[Sequence[Part]], bool]) -> bool:
        if self._runs >= MAX_RUNS or self._is_stopped():
            return False
        self._runs += 1
        self._tell(f"shrinking, run {self._runs}: {len(parts)} parts")
        return fails(parts)


def of_scenario(
    file: ScenarioFile, plan: Plan, seed: int, router: RouterKind, broken: Collection[str], trials: Trials
) -> dict[str, Any]:
    """The smallest scenario that still breaks one of these promises with this seed: fewer steps, then fewer flows."""
    scenario = file.scenario

    def fails(flows: Sequence[int], steps: Sequence[Planned]) -> bool:
        if not flows:
            return False
        part = scenario.model_copy(update={"flows": [scenario.flows[number] for number in flows]})
        report = play(SimulatedLab(plan, seed, router), part, steps, _Unseen()).report
        return not {*broken}.isdisjoint(each.promise for each in report.failures)

    numbers = range(len(scenario.flows))
    steps = trials.smallest(schedule(scenario, seed), lambda few: fails(numbers, few))
    flows = trials.smallest(numbers, lambda few: fails(few, steps))
    written = _written_actions(file)
    raw = _raw(file)
    document = {**raw, "name": f"{scenario.name}-{seed}", "seed": seed}
    document["flows"] = [
        {**raw["flows"][number], "duration": _time(scenario.flows[number].duration)} for number in flows
    ]
    document["steps"] = [{"at": _time(each.at_s), **written[id(each.action)]} for each in steps]
    return document


def of_people(
    plan: Plan, seed: int, router: RouterKind, course: Course, broken: Collection[str], trials: Trials
) -> tuple[dict[str, Any], Sequence[Person]]:
    """The smallest run that still breaks one of these promises with this seed, as a scenario, and its people.

    Fewer troubles, then fewer people, then an earlier end. `plan`: with an account for each of them.
    """

    def run(course: Course) -> tuple[Simulation, bool]:
        simulation = Simulation(SimulatedLab(plan, seed, router), course)
        report = simulation.run(lambda text: None, lambda: False)
        has_flows = bool(simulation.population.checker.sent_by_flow)  # a scenario needs one
        return simulation, has_flows and not {*broken}.isdisjoint(promise_of(each) for each in report.broken)

    def fails(**few: Any) -> bool:
        return run(replace(course, **few))[1]

    course = replace(course, troubles=trials.smallest(course.troubles, lambda few: fails(troubles=few)))
    course = replace(course, people=trials.smallest(course.people, lambda few: bool(few) and fails(people=few)))
    simulation, _ = run(course)
    ends_s = [each.at_s + each.lasts_s for each in simulation.troubles.happened]
    if ends_s and max(ends_s) + AFTER_S < course.until_s and fails(until_s=max(ends_s) + AFTER_S):
        course = replace(course, until_s=max(ends_s) + AFTER_S)
        simulation, _ = run(course)
    document = {"name": f"{plan.name}-{seed}", "flows": _flows(simulation, course.until_s), "steps": _steps(simulation)}
    if only := [str(trouble) for trouble in simulation.troubles.happened if not trouble.steps]:
        document["about"] = f"{ONLY_SIMULATED} {'; '.join(only)}"
    return document, [*simulation.population.people]


def _flows(simulation: Simulation, duration_s: float) -> list[dict[str, Any]]:
    """What people wrote to each other, at a steady rate."""
    known = simulation.population.by_number
    sent = simulation.population.checker.sent_by_flow
    return [
        {
            "from": str(known[from_].jid),
            "to": str(known[to].jid),
            "rate": round(count / duration_s, 4),
            "duration": _time(duration_s),
        }
        for (from_, to), count in sent.items()
    ]


def _steps(simulation: Simulation) -> list[dict[str, Any]]:
    return [
        {"at": _time(trouble.at_s), **step, "for": _time(trouble.lasts_s)}
        for trouble in simulation.troubles.happened
        for step in trouble.steps
    ]


def _written_actions(file: ScenarioFile) -> dict[int, dict[str, Any]]:
    """The actions as they are in the file, by the identity of the parsed ones."""
    found = {}
    for step, written in zip(file.scenario.steps, _raw(file).get("steps") or (), strict=True):
        if step.choose is None:
            found[id(step)] = {key: value for key, value in written.items() if key not in _WHEN}
        else:
            found.update({id(each): raw for each, raw in zip(step.choose, written["choose"], strict=True)})
    return found


def _raw(file: ScenarioFile) -> dict[str, Any]:
    assert isinstance(file.document.data, dict)  # the scenario was read
    return file.document.data


def _time(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


class _Unseen:
    """Nobody looks at the progress of a trial."""

    def show(self, now_s: float, sent: int, arrived: int, doing: Sequence[str]) -> None:
        """See `Observer`."""

    def end(self) -> None:
        """See `Observer`."""
