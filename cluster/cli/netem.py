"""`xmpplab netem`: delay and loss by the kernel, in a lab in containers."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.disturb import Node
from cluster.lab.api import Lab

Words = Annotated[
    list[str] | None, typer.Argument(help="As tc-netem(8) has them, such as `delay 40ms loss 1%`, or `off`.")
]


def netem(node: Node, words: Words = None, lab: LabName = None) -> None:
    """Let packets that a node sends to the router be late, lost and so on; without words, show what holds."""
    print(Lab.named(lab).netem(node, words or []), end="")
