"""`xmpplab load`: a locust run against the lab, or against any other XMPP servers."""

from __future__ import annotations

import math
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from cluster.cli import completion
from cluster.cli.common import LabName
from cluster.cli.interrupt import noted_interrupts
from cluster.cli.load_options import SCENARIO, as_arguments, given, load_file
from cluster.cli.load_timeline import load_timeline, print_hops, write
from cluster.cli.loadrun import LOOPBACK, LoadReport, LoadRun, free_port
from cluster.cli.output import Format, check_writable, print_json
from cluster.cli.progress import progress
from cluster.cli.seconds_file import PAGE, check_file
from cluster.cli.table import Wrong, print_table, wrong
from cluster.lab.api import BadInput, Lab
from cluster.trace.terminal import safe_line

WORKERS_WITHIN_S = 60
"""As long as a master waits for its workers."""
LOCUST_PORT = 8089
"""Of its page, if that is free."""
DEFAULT_TIME = "30s"
GENERATOR_LOOP = "generator loop"
"""The row of loadtests/loop.py."""
LATE_LOOP_MS = 10.0
"""At the 95th percentile: the load generator adds that to what it measures."""


def load(
    ctx: typer.Context,
    scenario: Annotated[
        str,
        typer.Argument(
            help="Load scenario, or a locust file of your own; `xmpplab load SCENARIO --help` has its options.",
            autocompletion=completion.load_scenarios,
        ),
    ] = SCENARIO,
    users: Annotated[int, typer.Option("-u", "--users", min=1, help="Number of users.")] = 50,
    spawn_rate: Annotated[
        float | None,
        typer.Option("-r", "--spawn-rate", metavar="N", help="Users started per second. Default: half of them."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            "-t", "--time", metavar="TIME", help=f"Duration of the run (30s, 5m, 1h30m). Default: {DEFAULT_TIME}."
        ),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Spread the users over so many processes.")
    ] = None,
    master: Annotated[bool, typer.Option("--master", help="Wait for workers, which have the users.")] = False,
    worker: Annotated[bool, typer.Option("--worker", help="Have users, as many as the master says.")] = False,
    expect_workers: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of workers that the master waits for.")
    ] = 1,
    web: Annotated[bool, typer.Option("--web", help="Start and change the load on locust's page.")] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="PREFIX", help="Write PREFIX_stats.csv, PREFIX_seconds.csv and more.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with the time line of the run.")
    ] = None,
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """Put load on the lab, and measure the delivery of each message. Exit code 1 if anything failed.

    Ctrl-C ends the run early, and prints the figures so far.
    """
    file, own = load_file(scenario), given(ctx)
    if master + worker + (processes is not None) > 1:
        raise BadInput("--master, --worker and --processes exclude each other")
    if html:
        check_file(html, PAGE)
    if csv:
        check_writable(Path(f"{csv}_stats.csv"))
    options = ["-u", str(users), "-r", str(spawn_rate or max(1, users // 2)), *run_time(time, is_open=web or worker)]
    options += _how_to_start(web=web, is_worker=worker)
    options += ["--master", "--expect-workers", str(expect_workers)] if master else ["--worker"] if worker else []
    options += ["--processes", str(processes)] if processes else []
    report: LoadReport | None = None
    try:
        with ExitStack() as stack:
            is_stopped, tell = stack.enter_context(noted_interrupts()), stack.enter_context(progress())
            environment = _environment(processes)
            workers = processes or (expect_workers if master else 1)
            loaded = stack.enter_context(_in_lab(lab, own, environment, 0 if worker else users, workers, tell))
            if is_stopped():
                raise KeyboardInterrupt
            prefix = csv or Path(stack.enter_context(TemporaryDirectory(prefix="xmpplab-"))) / "run"
            argv = [sys.executable, "-P", "-m", "locust", "-f", str(file), *options, *as_arguments(own)]
            timeline = stack.enter_context(load_timeline(loaded))
            run = LoadRun(argv, {**environment, **timeline.environment}, prefix)
            code = run.wait(is_stopped, lambda state: tell(f"load {file.stem}: {state}"))
            shown = timeline.end(f"load {file.stem}")
            write(shown, html, csv)
            report = replace(run.report(), hops=shown.hops)
    finally:  # even if the accounts cannot be removed
        if report is not None and not worker:  # the figures are the master's
            _show(report, format)
    raise typer.Exit(code)


def run_time(time: str | None, *, is_open: bool) -> list[str]:
    """How long it lasts, as locust's option. `is_open`: until it is ended, if no time is given. Raises BadInput."""
    if time is None and is_open:
        return []
    text = time if time is not None else DEFAULT_TIME
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    if not found or not any(int(number) for number in found.groups() if number):
        raise BadInput(f"{text!r} is not a time to run for; write 30s, 5m or 1h30m")
    return ["-t", text]


def _how_to_start(*, web: bool, is_worker: bool) -> list[str]:
    """At once, or from locust's page, whose address is printed."""
    if not web:
        return ["--headless"]
    if is_worker:
        raise BadInput("a worker has no page; give --web to the master")
    port = free_port(LOCUST_PORT)
    print(f"locust's page: http://{LOOPBACK}:{port} (Ctrl-C ends it)", file=sys.stderr)
    return ["--web-host", LOOPBACK, "--web-port", str(port)]


def _environment(processes: int | None) -> dict[str, str]:
    """For locust, which otherwise waits for workers at all addresses of the machine, and at a fixed port."""
    given = {"LOCUST_MASTER_BIND_HOST": LOOPBACK, "LOCUST_EXPECT_WORKERS_MAX_WAIT": str(WORKERS_WITHIN_S), **os.environ}
    if processes is None:
        return given
    hosts = dict.fromkeys(("LOCUST_MASTER_NODE_HOST", "LOCUST_MASTER_BIND_HOST"), LOOPBACK)
    ports = dict.fromkeys(("LOCUST_MASTER_NODE_PORT", "LOCUST_MASTER_BIND_PORT"), str(free_port()))
    return {**given, **hosts, **ports}


@contextmanager
def _in_lab(
    name: str | None,
    own: dict[str, Any],
    environment: dict[str, str],
    users: int,
    workers: int,
    tell: Callable[[str], None],
) -> Iterator[Lab | None]:
    """Tell locust where the lab is, and have accounts there during the run, unless the user lists some.

    None if all targets are outside of the lab. `own`: the scenario's options.
    """
    targets = list(own.get("--target") or ())
    if targets and all("=" in target for target in targets):
        yield None
        return
    lab = Lab.named(name)
    environment["XMPPLAB_STATE"] = str(lab.path)
    counts = _counts(lab, targets, users, workers)
    if not counts or "--accounts" not in own or own["--accounts"] is not None:
        yield lab
        return
    with lab.load_accounts(counts, tell) as own["--accounts"]:
        yield lab


def _counts(lab: Lab, targets: list[str], users: int, workers: int) -> dict[str, int]:
    """How many accounts the users need in each domain whose accounts the lab can change."""
    outside = [target for target in targets if "=" in target]
    inside = [server for server in lab.plan.servers if not targets or server.domain in targets]
    each = workers * math.ceil(math.ceil(users / workers) / (len(inside) + len(outside) or 1))
    of_domain = Counter(server.domain for server in inside)
    return {domain: each * n for domain, n in of_domain.items() if each and lab.users.can_change(domain)}


def _show(report: LoadReport, format: str) -> None:
    """The figures, what failed, and whether the load generator was late itself."""
    if format == "json":
        print_json(report)
    else:
        _print(report)
    late = next((row for row in report.measured if row.name == GENERATOR_LOOP and row.p95_ms is not None), None)
    if late is not None and late.p95_ms is not None and late.p95_ms > LATE_LOOP_MS:
        print(
            wrong(
                f"the load generator itself was {late.p95_ms:g} ms late or more, 5 % of the time: "
                "that is part of all times; use fewer users, or more --processes"
            ),
            file=sys.stderr,
        )


def _print(report: LoadReport) -> None:
    def shown(time_ms: float | None) -> str:
        return "N/A" if time_ms is None else f"{time_ms:g}"

    rows = [
        (
            row.name,
            f"{row.count:,}",
            Wrong(f"{row.failed:,}") if row.failed else "0",
            f"{row.per_second:.1f}",
            *map(shown, (row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms)),
        )
        for row in report.measured
    ]
    if rows:
        print_table(["MEASURED", "COUNT", "FAILED", "PER SECOND", "P50 MS", "P95 MS", "P99 MS", "MAX MS"], rows)
    print_hops(report.hops)
    for failure in report.failures:
        print(wrong(safe_line(f"failed {failure.count:,} times: {failure.name}: {failure.error}")))
