"""`xmpplab up`: bring the lab up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.common import OptionalTopologyFile
from cluster.cli.connect import print_how_to_connect
from cluster.cli.interrupt import interruptible
from cluster.cli.output import print_json
from cluster.cli.progress import progress
from cluster.cli.table import print_table
from cluster.lab.api import DriverKind, Lab, LabError, read_plans

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
            metavar="URL[,URL]", help="Use this Redis instead of an embedded one; redis+cluster:// for a cluster."
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
    format: Annotated[Literal["text", "json"], typer.Option(help="Format of --dry-run.")] = "text",
    demo: Annotated[bool, typer.Option("--demo", help="Send a first message, and show its route.")] = False,
) -> None:
    """Bring the lab up, and wait until every node is ready.

    Without -d, follow its log until Ctrl-C takes the lab down.
    """
    begun_s = time.monotonic()
    plans = read_plans(file, redis)
    lab = Lab.of_plan(plans[0])
    if dry_run:
        _tell_intention(lab.intention(plans, driver_), format)
        return
    with interruptible():
        with progress() as tell:
            is_new = lab.up(plans, driver_, tell)
        try:
            took = f"in {time.monotonic() - begun_s:.1f} s" if is_new else "already"
            domains = dict.fromkeys(server.domain for server in lab.plan.servers)
            print(f"lab {lab.name} is up {took}: {', '.join(domains)}")
            for trouble in lab.troubles():
                print(f"warning: {trouble}")
            print_how_to_connect(lab)
            if demo:
                _show_first_messages(lab)
            if is_new and not detach:
                _follow(lab)
        except KeyboardInterrupt:
            pass
        finally:
            if is_new and not detach:
                lab.down()
                print(f"lab {lab.name} is down, its state is removed")


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
        with lab.prober(str(from_), str(to)) as probes:
            print_route(probes.send("hi!"))


def _follow(lab: Lab) -> None:
    from cluster.cli.logs import FOLLOW_EVERY_S, print_lines

    print("\nCtrl-C takes the lab down; its log:", flush=True)
    print_lines(lab.follow(lab.log(), FOLLOW_EVERY_S, until_down=True))
    raise LabError(f"lab {lab.name} was taken down by another command, or its supervisor or engine has stopped")
