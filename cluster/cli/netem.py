"""`xmpplab netem`: delay and loss of packets in the kernel, for a lab in containers."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.disturb import Node
from cluster.lab.api import Lab

Words = Annotated[
    list[str] | None, typer.Argument(help="Settings of tc-netem(8), such as `delay 40ms loss 1%`, or `off`.")
]


def netem(node: Node, words: Words = None, lab: LabName = None) -> None:
    """Add delay, loss … to packets from a node to the router. Without settings: show the current ones."""
    print(Lab.named(lab).netem(node, words or []), end="")
