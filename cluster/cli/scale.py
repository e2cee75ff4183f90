"""`xmpplab scale`: more or fewer nodes for a domain, while it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.interrupt import interruptible
from cluster.lab.api import BadInput, Lab

Wish = Annotated[list[str], typer.Argument(metavar="SERVER=NODES...", help="Server and number of nodes, such as s1=3.")]


def scale(wishes: Wish, lab: LabName = None) -> None:
    """Change the number of nodes of a domain, and wait for them.

    A node that is removed ends the streams of its clients; their accounts and messages move to the other nodes.
    """
    wanted = {}
    for wish in wishes:
        server, _, number = wish.partition("=")
        if not server or not number.isascii() or not number.isdigit():
            raise BadInput(f"{wish!r} is not SERVER=NODES; write it like s1=3")
        wanted[server] = int(number)
    with interruptible():
        plan = Lab.named(lab).scale(wanted)
    for server in wanted:
        print(f"{server} is served by", ", ".join(f"{node.name} ({node.c2s})" for node in plan.nodes_of(server)))
