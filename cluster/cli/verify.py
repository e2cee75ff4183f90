"""`xmpplab verify`: does the lab keep its promises while things break?"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.common import LabName, chosen, read_plans
from cluster.cli.interrupt import interruptible
from cluster.lab.errors import BadInput, LabError

if TYPE_CHECKING:
    from cluster.lab.verify.read import ScenarioFile
    from cluster.lab.verify.report import Report
    from cluster.topology.plan import Plan

Kind = Literal["process", "docker"]


def verify(
    scenarios: Annotated[
        list[Path] | None, typer.Argument(metavar="[SCENARIO]...", help="Scenario files; see docs/verify.md.")
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="For people, for programs.")] = "text",
    duration: Annotated[str, typer.Option(metavar="TIME", help="Of all flows, instead of what the file says.")] = "",
    with_: Annotated[Kind, typer.Option("--driver", help="Of labs that are brought up for it.")] = "process",
    write: Annotated[Path | None, typer.Option(metavar="PAGE", help="Write the fault matrix into this page.")] = None,
    lab: LabName = None,
) -> None:
    """Run scenarios with faults, and tell what became of every message; exit code 1 where a promise was broken.

    The lab that a scenario names is brought up and taken down again, unless it is up. Without a scenario, a lab that
    is up is looked at as it is.
    """
    files = [_read(path, duration) for path in scenarios or []]
    if write is not None and not write.is_file():
        raise BadInput(f"there is no page {write}; the fault matrix stands in docs/fault-matrix.md")
    reports: list[Report] = []
    with interruptible():
        for report in map(partial(_in_lab, driver_kind=with_, name=lab), files) if files else [_as_it_is(lab)]:
            reports.append(report)
            if format == "text":
                _print(report)
    if format == "json":
        _print_json(reports)
    if write is not None:
        _write(write, reports)
    if failed := [report.scenario for report in reports if report.broken]:
        raise LabError(f"promises were broken: {', '.join(failed)}")


def _read(path: Path, duration: str) -> ScenarioFile:
    from cluster.lab.verify.read import read
    from cluster.lab.verify.scenario import duration_s
    from cluster.topology.problem import TopologyError

    try:
        so_long_s = duration_s(duration) if duration else None
    except ValueError as error:
        raise BadInput(f"--duration: {error}") from None
    try:
        return read(path, so_long_s)
    except TopologyError as error:
        raise BadInput(f"{path} cannot be used:\n{error}") from None


def _as_it_is(name: str | None) -> Report:
    from cluster.lab.verify.read import as_it_is
    from cluster.lab.verify.run import run

    folder = chosen(name)
    return run(folder, folder.plan(), as_it_is(folder.plan()))


def _in_lab(file: ScenarioFile, driver_kind: Kind, name: str | None) -> Report:
    """Run it in the lab of this name, else in the one that it brings."""
    from cluster.lab import driver
    from cluster.lab.folder import LabFolder
    from cluster.lab.verify.run import run

    if name is not None or file.topology is None:
        folder = chosen(name)
        _check(file, folder.plan())
        return run(folder, folder.plan(), file.scenario)
    plans = read_plans(file.topology)
    _check(file, plans[0])
    folder = LabFolder(Path(plans[0].state_dir))
    plan, is_new = driver.up(folder, plans, driver_kind)
    try:
        return run(folder, plan, file.scenario)
    finally:
        if is_new:
            driver.down(folder, keep=False)


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
    from rich.console import Console

    from cluster.lab.verify.render import rich

    width = None if sys.stdout.isatty() else 1000  # a pipe has no edge to wrap at
    Console(highlight=False, markup=False, width=width).print(rich(report))


def _write(page: Path, reports: list[Report]) -> None:
    from cluster.lab.verify import matrix

    try:
        page.write_text(matrix.updated(page.read_text(encoding="utf-8"), reports), encoding="utf-8")
    except ValueError as error:
        raise BadInput(f"{page}: {error}") from None
    print(f"written: {page}")
