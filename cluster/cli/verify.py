"""`xmpplab verify`: whether the lab keeps its promises while things break."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from cluster.cli import completion
from cluster.cli.common import LabName, read_scenario
from cluster.cli.interrupt import interruptible
from cluster.lab.api import BadInput, DriverKind, Lab, LabError, read_plans

if TYPE_CHECKING:
    from rich.console import Console

    from cluster.lab.verify.progress import Progress
    from cluster.lab.verify.read import ScenarioFile
    from cluster.lab.verify.report import Report
    from cluster.lab.verify.run import Outcome
    from cluster.topology.plan import Plan


def verify(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SCENARIO]...",
            help="Scenario files, or names such as kill-s2; see docs/verify.md.",
            autocompletion=completion.scenarios,
        ),
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="Output for people or for programs.")] = "text",
    duration: Annotated[
        str, typer.Option(metavar="TIME", help="Duration of all flows, instead of that in the file.")
    ] = "",
    driver_: Annotated[
        DriverKind,
        typer.Option(
            "--driver", envvar="XMPPLAB_VERIFY_DRIVER", help="Driver of labs that are brought up for a scenario."
        ),
    ] = "process",
    watch: Annotated[
        bool, typer.Option("--watch", help="Check the running lab until Ctrl-C, and report each violation at once.")
    ] = False,
    write: Annotated[
        Path | None, typer.Option(metavar="PAGE", help="Write the results into the fault matrix of this page.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a CSV file with a row for each stanza.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the checked promises as JUnit XML.")] = None,
    lab: LabName = None,
) -> None:
    """Run scenarios with faults, and account for every message. Exit code 1 if a promise is broken.

    The lab of a scenario is brought up and taken down again, unless it is already up. Without a scenario, the running
    lab is checked as it is.
    """
    if watch and (scenarios or duration or write):
        raise BadInput("--watch checks the running lab until Ctrl-C; leave out scenarios, --duration and --write")
    files = [read_scenario(scenario, duration) for scenario in scenarios or []]
    if write is not None and not write.is_file():
        raise BadInput(f"no page {write}; the fault matrix is in docs/fault-matrix.md")
    with interruptible():
        outcomes = _watched(lab) if watch else _outcomes(files, driver_, lab)
        reports = _told(outcomes, is_text=format == "text", csv=csv, junit=junit)
    if format == "json":
        _print_json(reports)
    if write is not None:
        _write(write, reports)
    if failed := [report.scenario for report in reports if report.failures]:
        raise LabError(f"broken promises: {', '.join(failed)}")


def _told(outcomes: Iterator[Outcome], *, is_text: bool, csv: Path | None, junit: Path | None) -> list[Report]:
    """Print each report when its run is over. The files are opened before the first run, so that a bad path costs
    nothing."""
    reports: list[Report] = []
    with ExitStack() as stack:
        rows, suites = (None if path is None else stack.enter_context(_opened(path)) for path in (csv, junit))
        for outcome in outcomes:
            reports.append(outcome.report)
            if is_text:
                _print(outcome.report)
            if rows is not None:
                _write_rows(rows, outcome, is_first=len(reports) == 1)
        if suites is not None:
            _write_suites(suites, reports)
    return reports


def _opened(path: Path) -> TextIO:
    """Open a file that is written at the end; raises BadInput before the run if it cannot be written."""
    try:
        return path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}; name another file") from None


def _outcomes(files: Sequence[ScenarioFile], driver_kind: DriverKind, name: str | None) -> Iterator[Outcome]:
    """Run one scenario after the other; without a scenario, the default one in the running lab."""
    from cluster.lab.verify.progress import Progress

    progress = Progress(sys.stderr)
    if not files:
        yield _as_it_is(name, progress)
    for file in files:
        progress.begin(file.scenario.name, file.scenario.duration_s)
        yield _in_lab(file, driver_kind, name, progress)


def _as_it_is(name: str | None, progress: Progress) -> Outcome:
    from cluster.lab.verify.read import as_it_is
    from cluster.lab.verify.run import run

    lab = Lab.named(name)
    scenario = as_it_is(lab.plan)
    progress.begin(scenario.name, scenario.duration_s)
    return run(lab, scenario, progress)


def _watched(name: str | None) -> Iterator[Outcome]:
    """Run until Ctrl-C."""
    from cluster.lab.verify.watch import watch

    yield watch(Lab.named(name), _console().print)


def _in_lab(file: ScenarioFile, driver_kind: DriverKind, name: str | None, progress: Progress) -> Outcome:
    """Run it in the lab of this name, otherwise in the lab that the scenario brings up."""
    from cluster.lab.verify.run import run

    if name is not None or file.topology is None:
        lab = Lab.named(name)
        _check(file, lab.plan)
        return run(lab, file.scenario, progress)
    plans = read_plans(file.topology)
    _check(file, plans[0])
    lab = Lab.of_plan(plans[0])
    is_new = lab.up(plans, driver_kind)
    try:
        return run(lab, file.scenario, progress)
    finally:
        if is_new:
            lab.down()


def _check(file: ScenarioFile, plan: Plan) -> None:
    from cluster.topology.problem import TopologyError

    try:
        file.check(plan)
    except TopologyError as error:
        raise BadInput(f"{file.path} does not fit lab {plan.name}:\n{error}") from None


def _print_json(reports: list[Report]) -> None:
    from cluster.lab.verify import render

    print(render.json(reports))


def _print(report: Report) -> None:
    from cluster.lab.verify.render import rich

    _console().print(rich(report))


def _console() -> Console:
    from rich.console import Console

    width = None if sys.stdout.isatty() else 1000  # a pipe has no width
    return Console(highlight=False, markup=False, width=width)


def _write_rows(file: TextIO, outcome: Outcome, *, is_first: bool) -> None:
    from cluster.lab.verify.render import write_csv

    write_csv(file, outcome.report.scenario, outcome.checkers, with_head=is_first)


def _write_suites(file: TextIO, reports: Sequence[Report]) -> None:
    from cluster.lab.verify.junit import junit

    file.write(junit(reports))


def _write(page: Path, reports: list[Report]) -> None:
    from cluster.lab.verify import matrix

    try:
        page.write_text(matrix.updated(page.read_text(encoding="utf-8"), reports), encoding="utf-8")
    except ValueError as error:
        raise BadInput(f"{page}: {error}") from None
    print(f"written: {page}")
