"""`xmpplab simulate` with a scenario, and what it shares with runs of people: options, seeds and the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from cluster.cli import shrunk
from cluster.cli.common import check_fits, read_scenario
from cluster.cli.interrupt import noted_interrupts
from cluster.cli.progress import progress
from cluster.cli.recorded import Views
from cluster.lab.api import BadInput, LabError, read_plans

if TYPE_CHECKING:
    from cluster.simulation.api import RouterKind
    from cluster.simulation.report import Played
    from cluster.topology.plan import Plan

Report = TypeVar("Report")


class Asked(NamedTuple):
    """The options of every run."""

    path: Path
    """Of the topology or scenario."""
    seeds: Sequence[int]
    """Empty: the usual one."""
    shrink: Path | None
    router: RouterKind
    costs: Path | None
    format: str
    views: Views

    def runs(
        self,
        plan: Plan,
        name: str,
        one: Callable[..., Report],
        several: Callable[..., Iterable[Report]],
        *what: object,
        **how: Any,
    ) -> Iterable[Report]:
        """The reports of all seeds; a single run is recorded for its views.

        `what`, `how`: further arguments of these functions, `tell` and `is_stopped` among them.
        """
        how |= {"router": self.router, "costs": self.costs}
        if len(self.seeds) > 1:
            return several(plan, *what, self.seeds, **how)
        [seed] = self.seeds
        with self.views.recording(plan, f"simulate {name}, seed {seed}", how["is_stopped"]) as recording:
            return [one(plan, *what, seed=seed, recording=recording, **how)]


class Result(NamedTuple):
    """What the end of the command needs of a run."""

    seed: int
    broken: Sequence[str]
    """The broken promises."""
    is_complete: bool


def end(results: Sequence[Result], wanted: int, format: str) -> None:
    """Sum the runs up. Raises LabError where promises are broken, KeyboardInterrupt where a run is not complete."""
    if format == "text" and wanted > 1:
        done = f"{len(results):,}" + (f" of {wanted:,}" if len(results) < wanted else "")
        print(f"runs: {done}, with broken promises: {sum(bool(each.broken) for each in results):,}")
        for promise in sorted({promise for each in results for promise in each.broken}):
            seeds = [str(each.seed) for each in results if promise in each.broken]
            print(f"  {promise}: seed {_some(seeds)}")
    if failed := [str(each.seed) for each in results if each.broken]:
        raise LabError(f"broken promises with seed {_some(failed)}; `--seed {failed[0]}` replays the first one")
    if not all(each.is_complete for each in results):
        raise KeyboardInterrupt


def _some(texts: list[str]) -> str:
    return ", ".join(texts[:10]) + (f" and {len(texts) - 10} more" if len(texts) > 10 else "")


def simulate_scenario(asked: Asked, duration: str) -> None:
    """Play a scenario with each of these seeds; without one, with its own."""
    from cluster.lab.verify import render
    from cluster.simulation import api

    file = read_scenario(str(asked.path), duration)
    if file.topology is None:
        raise BadInput(f"{asked.path} names no topology; add `topology`, so that it is known what to simulate")
    plan = read_plans(file.topology)[0]
    check_fits(file, plan)
    scenario = file.scenario
    asked = asked._replace(seeds=asked.seeds or (1 if scenario.seed is None else scenario.seed,))
    played: list[Played] = []
    with noted_interrupts() as is_stopped, progress(is_shown=asked.views.pace is None) as tell:
        for one in asked.runs(
            plan, scenario.name, api.play_shown, api.play_seeds, scenario, tell=tell, is_stopped=is_stopped
        ):
            played.append(one)
            if asked.format == "text" and (len(asked.seeds) == 1 or one.report.failures):
                tell("")
                _print(one)
        failed = [each.report for each in played if each.report.failures]
        if failed and asked.shrink is not None:
            broken = {each.promise for each in failed[0].failures}
            document = api.shrink_scenario(
                file, plan, seed=failed[0].seed, broken=broken, router=asked.router, tell=tell, is_stopped=is_stopped
            )
            tell("")
            shrunk.write(asked.shrink, document, file.topology, {})
        elif asked.shrink is not None:
            shrunk.say_none(asked.shrink)
    if asked.format == "json":
        print(render.json([each.report for each in played]))
    reports = [each.report for each in played]
    results = [Result(each.seed, [broken.promise for broken in each.failures], each.is_complete) for each in reports]
    end(results, len(asked.seeds), asked.format)


def _print(played: Played) -> None:
    from cluster.cli.verify import print_report

    print_report(played.report)
    speed = played.virtual_s / max(played.real_s, 0.001)
    print(f"  simulated in {played.real_s:,.1f} s: {speed:,.0f} virtual seconds per second; digest {played.digest}")
