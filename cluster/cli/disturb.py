"""`xmpplab kill`, `pause`, `resume` and `restart`: disturb one node of the lab, and see what the others do."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import nodes
from cluster.lab.api import Lab, NodeAction, seconds

Node = Annotated[str, typer.Argument(help="Such as s1 or redis; see `xmpplab ps`.", autocompletion=nodes)]


def kill(
    node: Node,
    for_: Annotated[
        str,
        typer.Option(
            "--for", envvar="XMPPLAB_KILL_FOR", metavar="TIME", help="Start it again after so long: 500ms, 3s."
        ),
    ] = "",
    lab: LabName = None,
) -> None:
    """Let a node crash (SIGKILL), and wait until it was started again."""
    for_s = seconds(for_, "--for") if for_ else 0.0
    _act(lab, node, "kill", "crashed, and answers again", for_s)


def pause(node: Node, lab: LabName = None) -> None:
    """Let a node hang, until `resume`."""
    _act(lab, node, "pause", "hangs; `xmpplab resume` ends that")


def resume(node: Node, lab: LabName = None) -> None:
    """Let a node that hangs go on."""
    _act(lab, node, "resume", "goes on")


def restart(node: Node, lab: LabName = None) -> None:
    """End a node in an orderly way, and wait until it was started again."""
    _act(lab, node, "restart", "was ended, and answers again")


def _act(lab: str | None, node: str, action: NodeAction, done: str, for_s: float = 0.0) -> None:
    Lab.named(lab).act(node, action, for_s)
    print(f"{node} {done}")
