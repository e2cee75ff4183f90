"""`xmpplab up`: bring the lab up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.common import OptionalTopologyFile, read_plans
from cluster.cli.connect import print_how_to_connect
from cluster.cli.interrupt import interruptible
from cluster.cli.output import print_json
from cluster.cli.progress import progress
from cluster.cli.table import print_table
from cluster.lab.errors import LabError

if TYPE_CHECKING:
    from cluster.lab.folder import LabFolder
    from cluster.topology.plan import Plan

Kind = Literal["process", "docker"]


def up(
    file: OptionalTopologyFile = None,
    detach: Annotated[bool, typer.Option("-d", "--detach", help="Return when every node is ready.")] = False,
    driver_: Annotated[
        Kind,
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
    from cluster.lab import driver
    from cluster.lab.folder import LabFolder
    from cluster.lab.overview import troubles
    from cluster.lab.plans import default_file

    begun_s = time.monotonic()
    plans = read_plans(file or default_file(Path.cwd()), redis)
    folder = LabFolder(Path(plans[0].state_dir))
    if dry_run:
        _tell_intention(folder, plans, driver_, format)
        return
    with interruptible():
        with progress() as tell:
            plan, is_new = driver.up(folder, plans, driver_, tell)
        try:
            took = f"in {time.monotonic() - begun_s:.1f} s" if is_new else "already"
            print(f"lab {plan.name} is up {took}: {', '.join(dict.fromkeys(server.domain for server in plan.servers))}")
            for trouble in troubles(folder, plan):
                print(f"warning: {trouble}")
            print_how_to_connect(folder, plan)
            if demo:
                _show_first_messages(folder, plan)
            if is_new and not detach:
                _follow(folder)
        except KeyboardInterrupt:
            pass
        finally:
            if is_new and not detach:
                driver.down(folder, keep=False)
                print(f"lab {plan.name} is down, its state is removed")


def _tell_intention(folder: LabFolder, plans: list[Plan], kind: Kind, format: str) -> None:
    from cluster.lab.intention import intention

    found = intention(folder, plans, kind)
    if format == "json":
        print_json(found)
        return
    where = "as processes of this machine" if kind == "process" else "in containers"
    match found.does:
        case "refuse":
            raise LabError(f"`up` would fail: {found.why}")
        case "nothing":
            print(f"lab {found.lab}: nothing to do, {found.why}")
        case _:
            kept = f"; accounts and messages kept in {found.state_dir} are used again" if "kept" in found.does else ""
            print(f"lab {found.lab} would be brought up {where}{kept}:")
            print_table(["NAME", "LISTENS AT"], [(part.name, " ".join(part.listens) or None) for part in found.parts])


def _show_first_messages(folder: LabFolder, plan: Plan) -> None:
    """To a contact in another domain, and to a phone where there is one: C3 and FC1 of the RFC's figure."""
    from cluster.cli.trace import print_route
    from cluster.lab.login import password_of
    from cluster.lab.prober import prober
    from cluster.lab.tracing import first_pair, first_phone

    from_, contact = first_pair(plan)
    for to in (contact, first_phone(plan)):
        if to is not None:
            print(f"\n{from_} says hi! to {to} (`xmpplab trace {from_} {to}`)")
            with prober(folder, plan, from_, to, password_of(plan, from_) or "") as probes:
                print_route(probes.send("hi!"))


def _follow(folder: LabFolder) -> None:
    from cluster.cli.logs import FOLLOW_EVERY_S, print_new
    from cluster.lab import driver
    from cluster.lab.wait import pause

    print("\nCtrl-C takes the lab down; its log:", flush=True)
    story = driver.of(folder).story(folder, None)
    while driver.of(folder).is_up(folder):
        print_new(story)
        pause(FOLLOW_EVERY_S)
    raise LabError(f"lab {folder.name} was taken down by another command, or its supervisor or engine has stopped")
