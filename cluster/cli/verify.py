"""`xmpplab verify`: whether the lab keeps its promises while things break."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from cluster.cli import completion
from cluster.cli.common import LabName, check_fits, duration_of, read_scenario
from cluster.cli.interrupt import interruptible
from cluster.cli.seconds_file import PAGE, ROWS, check_file, write_file
from cluster.lab.api import BadInput, DriverKind, Lab, LabError, read_plans

if TYPE_CHECKING:
    from rich.console import Console

    from cluster.lab.verify.progress import Progress
    from cluster.lab.verify.read import ScenarioFile
    from cluster.lab.verify.report import Report
    from cluster.lab.verify.run import Outcome


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
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with the time line of the run (.html).")
    ] = None,
    seconds: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a row for each second of the run (.csv, .json).")
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the checked promises as JUnit XML.")] = None,
    lab: LabName = None,
) -> None:
    """Run scenarios with faults, and account for every message. Exit code 1 if a promise is broken.

    The lab of a scenario is brought up and taken down again, unless it is already up. Without a scenario, the running
    lab is checked as it is. Ctrl-C prints the report so far.
    """
    if watch and (scenarios or duration or write):
        raise BadInput("--watch checks the running lab until Ctrl-C; leave out scenarios, --duration and --write")
    so_long_s = duration_of(duration)
    files = [read_scenario(scenario, duration) for scenario in scenarios or []]
    if write is not None and not write.is_file():
        raise BadInput(f"no page {write}; the fault matrix is in docs/fault-matrix.md")
    timelines = _Timelines(html, seconds, len(files) > 1)
    with interruptible():
        outcomes = _watched(lab, timelines) if watch else _outcomes(files, driver_, lab, so_long_s, timelines)
        reports = _told(outcomes, is_text=format == "text", csv=csv, junit=junit)
    if format == "json":
        _print_json(reports)
    complete = [report for report in reports if report.is_complete]
    if write is not None and complete:
        _write(write, complete)
    if failed := [report.scenario for report in reports if report.failures]:
        raise LabError(f"broken promises: {', '.join(failed)}")
    if complete != reports:
        raise KeyboardInterrupt


def _told(outcomes: Iterator[Outcome], *, is_text: bool, csv: Path | None, junit: Path | None) -> list[Report]:
    """Print each report when its run is over. The files are opened before the first run, so that a bad path costs
    nothing."""
    reports: list[Report] = []
    with ExitStack() as stack:
        rows, suites = (None if path is None else stack.enter_context(_opened(path)) for path in (csv, junit))
        for outcome in outcomes:
            reports.append(outcome.report)
            if is_text:
                print_report(outcome.report)
            if rows is not None:
                _write_rows(rows, outcome, is_first=len(reports) == 1)
            if not outcome.report.is_complete:
                break
        if suites is not None:
            _write_suites(suites, [report for report in reports if report.is_complete])
    return reports


def _opened(path: Path) -> TextIO:
    """Open a file that is written at the end; raises BadInput before the run if it cannot be written."""
    try:
        return path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}; name another file") from None


def _outcomes(
    files: Sequence[ScenarioFile],
    driver_kind: DriverKind,
    name: str | None,
    duration_s: float | None,
    timelines: _Timelines,
) -> Iterator[Outcome]:
    """Run one scenario after the other; without a scenario, the default one in the running lab."""
    from cluster.lab.verify.progress import Progress

    progress = Progress(sys.stderr)
    if not files:
        yield _as_it_is(name, duration_s, progress, timelines)
    for file in files:
        progress.begin(file.scenario.name, file.scenario.duration_s)
        yield _in_lab(file, driver_kind, name, progress, timelines)


class _Timelines:
    """The files with the time line of each run."""

    def __init__(self, html: Path | None, seconds: Path | None, has_several: bool) -> None:
        """`has_several`: there are several runs, each of which has files of its own. Raises BadInput."""
        wanted = {file: endings for file, endings in ((html, PAGE), (seconds, ROWS)) if file is not None}
        for file, endings in wanted.items():
            check_file(file, endings)
        self._files = [*wanted]
        self._has_several = has_several

    def of(self, lab: Lab, run: Callable[[], Outcome]) -> Outcome:
        """The outcome of the run, whose time line is written."""
        from cluster.lab.verify.seconds import by_second

        if not self._files:
            return run()
        with lab.following_a_share():
            outcome = run()
        report, begin_utc_s = outcome.report, outcome.begin_utc_s
        measured = by_second(outcome.checkers, begin_utc_s)
        title = f"verify {report.scenario}"
        found = lab.timeline.period(title, begin_utc_s, begin_utc_s + report.seconds, measured)
        for file in self._files:
            name = f"{file.stem}-{report.scenario}{file.suffix}" if self._has_several else file.name
            write_file(file.with_name(name), found)
        return outcome


def _as_it_is(name: str | None, duration_s: float | None, progress: Progress, timelines: _Timelines) -> Outcome:
    from cluster.lab.verify.live import run
    from cluster.lab.verify.read import as_it_is, lasting

    lab = Lab.named(name)
    scenario = lasting(as_it_is(lab.plan), duration_s)
    progress.begin(scenario.name, scenario.duration_s)
    return timelines.of(lab, lambda: run(lab, scenario, progress))


def _watched(name: str | None, timelines: _Timelines) -> Iterator[Outcome]:
    """Run until Ctrl-C."""
    from cluster.lab.verify.watch import watch

    lab = Lab.named(name)
    yield timelines.of(lab, lambda: watch(lab, _console().print))


def _in_lab(
    file: ScenarioFile, driver_kind: DriverKind, name: str | None, progress: Progress, timelines: _Timelines
) -> Outcome:
    """Run it in the lab of this name, otherwise in the lab that the scenario brings up."""
    from cluster.lab.verify.live import run
    from cluster.topology.sharing import apart

    if name is not None or file.topology is None:
        lab = Lab.named(name)
        check_fits(file, lab.plan)
        return timelines.of(lab, lambda: run(lab, file.scenario, progress))
    plans = read_plans(file.topology)
    check_fits(file, plans[0])
    plans = [apart(plan, file.scenario.broken_nodes) for plan in plans]
    lab = Lab.of_plan(plans[0])
    is_new = lab.up(plans, driver_kind, owner=os.getpid())
    try:
        return timelines.of(lab, lambda: run(lab, file.scenario, progress))
    finally:
        if is_new:
            lab.down()


def _print_json(reports: list[Report]) -> None:
    from cluster.lab.verify import render

    print(render.json(reports))


def print_report(report: Report) -> None:
    """Print a report for people."""
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
