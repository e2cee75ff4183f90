"""`xmpplab netem`: delay and loss by the kernel, in a lab in containers."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName, chosen
from cluster.cli.disturb import Node

Words = Annotated[
    list[str] | None, typer.Argument(help="As tc-netem(8) has them, such as `delay 40ms loss 1%`, or `off`.")
]


def netem(node: Node, words: Words = None, lab: LabName = None) -> None:
    """Let packets that a node sends to the router be late, lost and so on; without words, show what holds."""
    from cluster.lab.containers.netem import netem

    print(netem(chosen(lab), node, words or []), end="")
