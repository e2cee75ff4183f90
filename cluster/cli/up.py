"""`xmpplab up`: bring the lab up."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.common import OptionalTopologyFile
from cluster.cli.how_to_connect import print_how_to_connect
from cluster.cli.interrupt import interruptible
from cluster.cli.output import print_json
from cluster.cli.progress import progress
from cluster.cli.table import print_table
from cluster.lab.api import BadInput, DriverKind, Lab, LabError, read_plans, shortened

if TYPE_CHECKING:
    from cluster.lab.answers import Intention


def up(
    file: OptionalTopologyFile = None,
    detach: Annotated[bool, typer.Option("-d", "--detach", help="Return when every node is ready.")] = False,
    driver_: Annotated[
        DriverKind,
        typer.Option(
            "--driver", envvar="XMPPLAB_UP_DRIVER", help="Run as processes of this machine, or in containers."
        ),
    ] = "process",
    redis: Annotated[
        str,
        typer.Option(
            metavar="URL", help="Use this Redis, Redis Cluster or Sentinels instead of an embedded one (docs/scale.md)."
        ),
    ] = "",
    processes: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many processes the servers share; default: what the topology says (docs/scale.md)."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
    format: Annotated[Literal["text", "json"], typer.Option(help="Format of --dry-run.")] = "text",
    owner: Annotated[
        int | None,
        typer.Option(metavar="PID", help="Take the lab down when this process ends, even by SIGKILL: for test runs."),
    ] = None,
    web: Annotated[bool, typer.Option("--web", help="Serve the page of the lab too; not with -d.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Send a first message, and show its route.")] = False,
) -> None:
    """Bring the lab up, and wait until every node is ready.

    Without -d, follow its log until Ctrl-C takes the lab down.
    """
    if driver_ != "process":
        _check_in_containers(owner, processes)
    begun_s = time.monotonic()
    plans = read_plans(file, redis, processes=processes)
    lab = Lab.of_plan(plans[0])
    if web and detach:
        raise BadInput("--web serves as long as this command runs; leave out -d, or use `xmpplab web`")
    if dry_run:
        _tell_intention(lab.intention(plans, driver_), format)
        return
    with interruptible():
        with progress() as tell:
            is_new = lab.up(plans, driver_, tell, owner=owner if detach or owner is not None else os.getpid())
        try:
            took = f"in {time.monotonic() - begun_s:.1f} s" if is_new else "already"
            domains = dict.fromkeys(server.domain for server in lab.plan.servers)
            print(f"lab {lab.name} is up {took}: {shortened([*domains])}")
            for trouble in lab.troubles():
                print(f"warning: {trouble}")
            print_how_to_connect(lab)
            if demo:
                _show_first_messages(lab)
            with _page(lab) if web else nullcontext():
                if is_new and not detach:
                    _follow(lab)
                elif web:
                    threading.Event().wait()
        except KeyboardInterrupt:
            pass
        finally:
            if is_new and not detach:
                lab.down()
                print(f"lab {lab.name} is down, its state is removed")


def _check_in_containers(owner: int | None, processes: int | None) -> None:
    if owner is not None:
        raise BadInput("--owner is for labs of processes; containers do not end with a process: leave it out")
    if processes is not None:
        raise BadInput("--processes is for labs of processes; each server has its own container: leave it out")


@contextmanager
def _page(lab: Lab) -> Iterator[None]:
    """The page, which is served until the block ends."""
    from cluster.web import serve

    with serve(lab) as address:
        print(f"\nthe lab in the browser: {address}", flush=True)
        yield


def _tell_intention(found: Intention, format: str) -> None:
    if format == "json":
        print_json(found)
        return
    where = "as processes of this machine" if found.driver == "process" else "in containers"
    match found.does:
        case "refuse":
            raise LabError(f"`up` would fail: {found.why}")
        case "nothing":
            print(f"lab {found.lab}: nothing to do, {found.why}")
        case _:
            kept = f"; accounts and messages kept in {found.state_dir} are used again" if "kept" in found.does else ""
            print(f"lab {found.lab} would be brought up {where}{kept}:")
            print_table(["NAME", "LISTENS AT"], [(part.name, " ".join(part.listens) or None) for part in found.parts])


def _show_first_messages(lab: Lab) -> None:
    from cluster.cli.trace import print_route

    for from_, to in lab.demonstration():
        print(f"\n{from_} says hi! to {to} (`xmpplab trace {from_} {to}`)")
        with lab.account(str(from_)).prober(str(to)) as probes:
            print_route(probes.send("hi!"))


def _follow(lab: Lab) -> None:
    from cluster.cli.logs import FOLLOW_EVERY_S, print_lines

    print("\nCtrl-C takes the lab down; its log:", flush=True)
    print_lines(lab.follow(lab.log(), FOLLOW_EVERY_S, until_down=True))
    raise LabError(f"lab {lab.name} was taken down by another command, or its supervisor or engine has stopped")
