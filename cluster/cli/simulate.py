"""`xmpplab simulate`: the whole network in virtual time."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli import shrunk
from cluster.cli.common import is_scenario
from cluster.cli.completion import topologies_and_scenarios
from cluster.cli.interrupt import noted_interrupts
from cluster.cli.output import Format, print_json
from cluster.cli.progress import progress
from cluster.cli.recorded import Views
from cluster.cli.simulated import Asked, Result, end, simulate_scenario
from cluster.lab.api import BadInput, read_plans, seconds
from cluster.simulation.api import PresetName, RouterKind

if TYPE_CHECKING:
    from cluster.simulation.report import SimulatedMessages, SimulatedRooms, SimulationReport

MAX_SEEDS = 100_000
MAX_TROUBLES = 10_000
"""Each is planned before the run, and named in the report."""
SHOWN = 5
"""Of the busiest processes."""


def simulate(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Topology or scenario file (YAML), or the name of an included one, such as verona or kill-s2.",
            autocompletion=topologies_and_scenarios,
        ),
    ],
    for_: Annotated[
        str,
        typer.Option(
            "--for",
            envvar="XMPPLAB_SIMULATE_FOR",
            metavar="TIME",
            help="Virtual duration, 1h by default; with a scenario, of all its flows.",
        ),
    ] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same run; 1 by default.")] = None,
    seeds: Annotated[
        str, typer.Option(metavar="A..B", help="One run for each of these seeds, in place of --seed.")
    ] = "",
    people: Annotated[
        int, typer.Option(min=0, help="Number of people; accounts are added as needed. 0: those of the topology.")
    ] = 0,
    population: Annotated[
        PresetName | None,
        typer.Option(help="What people do, in place of the topology's `population`; docs/simulate.md describes each."),
    ] = None,
    troubles: Annotated[
        int,
        typer.Option(
            min=0, max=MAX_TROUBLES, help="Number of troubles, such as crashes, at times that the seed chooses."
        ),
    ] = 0,
    shrink: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Cut the first failing run down to the smallest that fails, as a scenario of `verify`."
        ),
    ] = None,
    router: Annotated[
        RouterKind,
        typer.Option(
            help="`memory`: a router in memory, for size; `redis`: the router, nodes and storage of a lab, with a "
            "simulated Redis."
        ),
    ] = "memory",
    watch: Annotated[bool, typer.Option("--watch", help="Show hops as they happen, as `xmpplab watch --all`.")] = False,
    pace: Annotated[
        float | None,
        typer.Option(min=0, help="Virtual seconds per second with --watch, 1 by default; 0: as fast as they come."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with the time line of the run (.html).")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Leave what was recorded in a folder, for `why`, `watch`, `timeline --lab FOLDER/` and "
            "`web --replay FOLDER`.",
        ),
    ] = None,
    costs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Service times, as `make calibrate` writes them; without them nothing takes time."
        ),
    ] = None,
    driver: Annotated[str, typer.Option(hidden=True)] = "",
    format: Format = "text",
) -> None:
    """Run the network in virtual time, in one process. Exit code 1 if a promise is broken.

    With a topology, people log in, talk and leave; with a scenario of `xmpplab verify`, its flows are sent while its
    steps happen. Every message is accounted for. Ctrl-C prints the report so far.
    """
    from cluster.lab.catalogue import paths

    if driver:
        raise BadInput("a simulation has no --driver: it runs in this process; leave it out, or use `xmpplab verify`")
    if seeds and seed is not None:
        raise BadInput("--seed and --seeds exclude each other; give one of the two")
    if pace is not None and not watch:
        raise BadInput("--pace is the speed of --watch; add --watch, or leave out --pace")
    views = Views(keep, html, (1.0 if pace is None else pace) if watch else None)
    views.check(seeds, format)
    if shrink is not None and costs is not None:
        raise BadInput("a run is shrunk without service times; leave out --costs or --shrink")
    shrunk.check_writable(shrink)
    [path, *_] = paths(file)
    wanted = _seeds(seeds) if seeds else () if seed is None else (seed,)
    asked = Asked(path, wanted, shrink, router, costs, format, views)
    if is_scenario(path):
        if people or troubles or population:
            raise BadInput("a scenario has its own flows and steps; leave out --people, --population and --troubles")
        simulate_scenario(asked, for_)
    else:
        _simulate_people(asked, seconds(for_ or "1h", "--for"), people, population, troubles)


def _simulate_people(
    asked: Asked, duration_s: float, people: int, population: PresetName | None, troubles: int
) -> None:
    from cluster.simulation import api
    from cluster.simulation.report import promise_of

    if not duration_s:
        raise BadInput("--for: in 0 s nobody logs in; write a time such as 10m")
    asked = asked._replace(seeds=asked.seeds or (1,))
    plan = read_plans(asked.path)[0]
    if population is not None:
        plan = api.with_population(plan, population)
    reports: list[SimulationReport] = []
    how: dict[str, Any] = {"duration_s": duration_s, "people": people, "troubles": troubles}
    with noted_interrupts() as is_stopped, progress(is_shown=asked.views.pace is None) as tell:
        how |= {"tell": tell, "is_stopped": is_stopped}
        for report in asked.runs(plan, plan.name, api.simulate, api.simulate_seeds, **how):
            reports.append(report)
            if asked.format == "text" and (len(asked.seeds) == 1 or report.broken):
                tell("")
                print(_text(report))
        failed = [each for each in reports if each.broken]
        if failed and asked.shrink is not None:
            document, added = api.shrink(plan, report=failed[0], router=asked.router, **how)
            tell("")
            shrunk.write(asked.shrink, document, asked.path, added)
            if about := document.get("about"):  # what it lacks
                print(about, file=sys.stderr)
        elif asked.shrink is not None:
            shrunk.say_none(asked.shrink)
    if asked.format == "json":
        print_json(reports)
    results = [Result(each.seed, [*map(promise_of, each.broken)], each.is_complete) for each in reports]
    end(results, len(asked.seeds), asked.format)


def _seeds(text: str) -> Sequence[int]:
    found = re.fullmatch(r"(\d{1,18})\.\.(\d{1,18})", text)
    if not found or not 0 <= int(found[2]) - int(found[1]) < MAX_SEEDS:
        raise BadInput(f"--seeds: {text!r} is no range of seeds; write 1..500, of at most {MAX_SEEDS:,}")
    return range(int(found[1]), int(found[2]) + 1)


def _text(report: SimulationReport) -> str:
    found, speed = report.messages, report.virtual_s / max(report.real_s, 0.001)
    lines = [
        f"{report.topology}, seed {report.seed}: {report.domains:,} domains, {report.people:,} people with "
        f"{report.devices:,} devices" + ("" if report.is_complete else " (interrupted)"),
        f"  time      {report.virtual_s:,.0f} s in {report.real_s:,.1f} s: {speed:,.0f} virtual seconds per second",
        f"  events    {report.events:,}, {report.events / max(report.real_s, 0.001):,.0f} per second",
        f"  logins    {report.logins:,}, broken connections {report.breaks:,}, stream errors {report.stream_errors:,}",
        f"  messages  sent {found.sent:,}, delivered {found.delivered:,} (of these stored first {found.waited:,}), "
        f"lost {found.lost:,}, lost by faults {found.lost_by_fault:,}, bounced {found.bounced:,}",
        f"            out of order {found.out_of_order:,}, duplicated {found.duplicated:,}, with the same id "
        f"{found.duplicated_same_id:,}, over XML streams {found.duplicated_over_streams:,}, "
        f"misdelivered {found.misdelivered:,}, under way {found.under_way:,}",
        *_gateways(found),
        *_rooms(report.rooms),
        "  latency   " + (", ".join(f"{name} {value:,.1f} ms" for name, value in report.latency_ms.items()) or "none"),
        f"  model     virtual time {_with(report.cpu)}; TLS is modelled: round trips and bytes, no encryption",
        f"  digest    {report.digest}",
    ]
    if report.cpu:
        shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in [*report.cpu.items()][:SHOWN])
        lines.append(f"  cpu       {shares}")
    lines += [f"  trouble   {each}" for each in report.troubles]
    lines += [f"  presence  {each}" for each in report.presence]
    lines += [f"  rosters   {each}" for each in report.rosters]
    lines += [f"  archives  {each}" for each in report.archives]
    lines += [f"  left over {each}" for each in report.left_over]
    lines += [f"  leak      {each}" for each in report.leaks]
    lines += [f"  example   {each}" for each in report.examples]
    lines += [f"  BROKEN    {each}" for each in report.broken] or [
        "  promises  all kept" + ("" if report.is_complete else " so far")
    ]
    return "\n".join(lines)


def _gateways(found: SimulatedMessages) -> list[str]:
    counts = {
        "through gateways": found.through_gateways,
        "bounced by them": found.bounced_by_gateways,
        "copies missing": found.copies_missing,
    }
    text = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
    return [f"            {text}"] if text else []


def _rooms(found: SimulatedRooms) -> list[str]:
    if not found.said:
        return []
    return [
        f"  rooms     said {found.said:,}, heard {found.heard:,}, lost {found.lost:,}, returned {found.returned:,}, "
        f"out of step {found.out_of_step:,},",
        f"            duplicated {found.duplicated:,}, with the same id {found.duplicated_same_id:,}, misdelivered "
        f"{found.misdelivered:,}, p99 {found.p99_ms:,.1f} ms",
    ]


def _with(cpu: dict[str, float]) -> str:
    return "with service times" if cpu else "without service times"
