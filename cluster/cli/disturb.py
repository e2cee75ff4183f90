"""`xmpplab kill`, `pause`, `resume` and `restart`: disturb one node of the lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import nodes
from cluster.lab.api import Lab, seconds

if TYPE_CHECKING:
    from cluster.lab.api import NodeAction

Node = Annotated[str, typer.Argument(help="Node, such as s1 or redis; see `xmpplab ps`.", autocompletion=nodes)]


def kill(
    node: Node,
    for_: Annotated[
        str,
        typer.Option(
            "--for", envvar="XMPPLAB_KILL_FOR", metavar="TIME", help="Restart it after this time (500ms, 3s)."
        ),
    ] = "",
    lab: LabName = None,
) -> None:
    """Crash a node (SIGKILL), and wait until it is ready again."""
    for_s = seconds(for_, "--for") if for_ else 0.0
    _act(lab, node, "kill", "killed; restarted and ready", for_s)


def pause(node: Node, lab: LabName = None) -> None:
    """Pause a node, as if it hung, until `resume`."""
    _act(lab, node, "pause", f"paused; continue with `xmpplab resume {node}`")


def resume(node: Node, lab: LabName = None) -> None:
    """Continue a paused node."""
    _act(lab, node, "resume", "continues")


def restart(node: Node, lab: LabName = None) -> None:
    """Stop and start a node, and wait until it is ready again."""
    _act(lab, node, "restart", "stopped; restarted and ready")


def _act(lab: str | None, node: str, action: NodeAction, done: str, for_s: float = 0.0) -> None:
    Lab.named(lab).act(node, action, for_s)
    print(f"{node} {done}")
