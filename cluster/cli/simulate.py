"""`xmpplab simulate`: the whole network in virtual time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import TopologyFile
from cluster.cli.interrupt import noted_interrupts
from cluster.cli.output import Format, print_json
from cluster.cli.progress import progress
from cluster.lab.api import BadInput, LabError, read_plans, seconds

if TYPE_CHECKING:
    from cluster.simulation.report import SimulationReport

MAX_SEEDS = 100_000


def simulate(
    file: TopologyFile,
    for_: Annotated[
        str, typer.Option("--for", envvar="XMPPLAB_SIMULATE_FOR", metavar="TIME", help="Virtual duration.")
    ] = "1h",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same run.")] = 1,
    seeds: Annotated[
        str, typer.Option(metavar="A..B", help="One run for each of these seeds, in place of --seed.")
    ] = "",
    people: Annotated[
        int, typer.Option(min=0, help="Number of people; accounts are added as needed. 0: those of the topology.")
    ] = 0,
    troubles: Annotated[
        int, typer.Option(min=0, help="Number of crashes, pauses and partitions, at times that the seed chooses.")
    ] = 0,
    format: Format = "text",
) -> None:
    """Run the network in virtual time, in one process. Exit code 1 if a promise is broken.

    People log in, talk and leave; every message is accounted for. Ctrl-C prints the report so far.
    """
    from cluster.simulation.api import simulate as run

    plan, duration_s = read_plans(file)[0], seconds(for_, "--for")
    wanted = _seeds(seeds) if seeds else [seed]
    reports: list[SimulationReport] = []
    with noted_interrupts() as is_stopped, progress() as tell:
        for each in wanted:
            report = run(
                plan,
                seed=each,
                duration_s=duration_s,
                people=people,
                troubles=troubles,
                tell=tell,
                is_stopped=is_stopped,
            )
            reports.append(report)
            if format == "text" and (not seeds or report.broken):
                tell("")
                print(_text(report))
            if is_stopped():
                break
    _end(reports, len(wanted), format)


def _end(reports: list[SimulationReport], wanted: int, format: str) -> None:
    if format == "json":
        print_json(reports)
    elif wanted > 1:
        done = f"{len(reports):,}" + (f" of {wanted:,}" if len(reports) < wanted else "")
        print(f"runs: {done}, with broken promises: {sum(bool(report.broken) for report in reports):,}")
    if failed := [str(report.seed) for report in reports if report.broken]:
        raise LabError(f"broken promises with seed {_some(failed)}; `--seed {failed[0]}` replays the first one")
    if not all(report.is_complete for report in reports):
        raise KeyboardInterrupt


def _some(texts: list[str]) -> str:
    return ", ".join(texts[:10]) + (f" and {len(texts) - 10} more" if len(texts) > 10 else "")


def _seeds(text: str) -> Sequence[int]:
    found = re.fullmatch(r"(\d{1,18})\.\.(\d{1,18})", text)
    if not found or not 0 <= int(found[2]) - int(found[1]) < MAX_SEEDS:
        raise BadInput(f"--seeds: {text!r} is no range of seeds; write 1..500, of at most {MAX_SEEDS:,}")
    return range(int(found[1]), int(found[2]) + 1)


def _text(report: SimulationReport) -> str:
    found, speed = report.messages, report.virtual_s / max(report.real_s, 0.001)
    lines = [
        f"{report.topology}, seed {report.seed}: {report.domains:,} domains, {report.people:,} people"
        + ("" if report.is_complete else " (interrupted)"),
        f"  time      {report.virtual_s:,.0f} s in {report.real_s:,.1f} s: {speed:,.0f} virtual seconds per second",
        f"  events    {report.events:,}, {report.events / max(report.real_s, 0.001):,.0f} per second",
        f"  logins    {report.logins:,}, broken connections {report.breaks:,}, stream errors {report.stream_errors:,}",
        f"  messages  sent {found.sent:,}, delivered {found.delivered:,} (of these stored first {found.waited:,}), "
        f"lost {found.lost:,}, lost by faults {found.lost_by_fault:,}, bounced {found.bounced:,}",
        f"            out of order {found.out_of_order:,}, duplicated {found.duplicated:,}, with the same id "
        f"{found.duplicated_same_id:,}, misdelivered {found.misdelivered:,}, under way {found.under_way:,}",
        "  latency   " + (", ".join(f"{name} {value:,.1f} ms" for name, value in report.latency_ms.items()) or "none"),
        "  model     virtual time without service times; TLS is modelled: round trips and bytes, no encryption",
        f"  digest    {report.digest}",
    ]
    lines += [f"  trouble   {each}" for each in report.troubles]
    lines += [f"  presence  {each}" for each in report.presence]
    lines += [f"  left over {each}" for each in report.left_over]
    lines += [f"  example   {each}" for each in report.examples]
    lines += [f"  BROKEN    {each}" for each in report.broken] or [
        "  promises  all kept" + ("" if report.is_complete else " so far")
    ]
    return "\n".join(lines)
