"""`xmpplab up`: bring the lab up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import read_plans
from cluster.cli.connect import print_how_to_connect
from cluster.cli.interrupt import interruptible
from cluster.lab.errors import LabError

if TYPE_CHECKING:
    from cluster.lab.folder import LabFolder
    from cluster.topology.plan import Plan


def up(
    file: Annotated[Path | None, typer.Argument(help="Topology file; default: the only *.yaml here.")] = None,
    detach: Annotated[bool, typer.Option("-d", "--detach", help="Return when every part answers.")] = False,
    redis: Annotated[str, typer.Option(metavar="URL", help="Use this Redis or Valkey instead of an own one.")] = "",
    demo: Annotated[bool, typer.Option("--demo", help="Send a first message and show its route.")] = False,
) -> None:
    """Bring the lab up and wait until every part answers; without -d, follow its logs until Ctrl-C takes it down."""
    from cluster.lab import driver
    from cluster.lab.folder import LabFolder
    from cluster.lab.plans import default_file

    begun_s = time.monotonic()
    plans = read_plans(file or default_file(Path.cwd()), redis)
    folder = LabFolder(Path(plans[0].state_dir))
    with interruptible():
        plan, is_new = driver.up(folder, plans)
        try:
            took = f"in {time.monotonic() - begun_s:.1f} s" if is_new else "already"
            print(f"lab {plan.name} is up {took}: {', '.join(server.domain for server in plan.servers)}")
            print_how_to_connect(folder, plan)
            if demo:
                _show_first_message(folder, plan)
            if is_new and not detach:
                _follow(folder)
        except KeyboardInterrupt:
            pass
        finally:
            if is_new and not detach:
                driver.down(folder, keep=False)
                print(f"lab {plan.name} is down, nothing is left of it")


def _show_first_message(folder: LabFolder, plan: Plan) -> None:
    from cluster.cli.trace import print_tree
    from cluster.lab.tracing import first_pair, password_of, send_probe

    from_, to = first_pair(plan)
    print(f"\nthe first message: {from_} says hi! to {to} (`xmpplab trace {from_} {to}`)")
    print_tree(send_probe(folder, plan, from_, to, password_of(plan, from_) or "", "hi!").hops)


def _follow(folder: LabFolder) -> None:
    from cluster.cli.logs import FOLLOW_EVERY_S, print_new
    from cluster.lab.logs import LogStory
    from cluster.lab.wait import pause

    print("\nCtrl-C takes the lab down; its log:", flush=True)
    story = LogStory(folder.logs, None)
    while folder.is_locked():
        print_new(story)
        pause(FOLLOW_EVERY_S)
    raise LabError(f"lab {folder.name} was taken down by another command, or its supervisor was killed")
