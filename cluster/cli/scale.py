"""`xmpplab scale`: more or fewer nodes for a domain, while it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.interrupt import interruptible
from cluster.lab.api import BadInput, Lab

Wish = Annotated[list[str], typer.Argument(metavar="SERVER=NODES...", help="Such as s1=3.")]


def scale(wishes: Wish, lab: LabName = None) -> None:
    """Change how many nodes serve a domain, and wait until all answer.

    A node that goes ends its clients' streams; they find their accounts, and what waits for them, at the others.
    """
    wanted = {}
    for wish in wishes:
        server, _, number = wish.partition("=")
        if not server or not number.isascii() or not number.isdigit():
            raise BadInput(f"{wish!r} is not SERVER=NODES; write for example s1=3")
        wanted[server] = int(number)
    with interruptible():
        plan = Lab.named(lab).scale(wanted)
    for server in wanted:
        print(f"{server} is served by", ", ".join(f"{node.name} ({node.c2s})" for node in plan.nodes_of(server)))
