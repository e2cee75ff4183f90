"""`xmpplab kill`, `pause`, `resume` and `restart`: disturb one node of the lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import nodes, restartable
from cluster.lab.api import Lab, seconds, shortened

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
    """Crash a node (SIGKILL), and wait until it is ready again.

    Servers that share its process crash with it; this and the following commands say which.
    """
    for_s = seconds(for_, "--for") if for_ else 0.0
    _act(lab, node, "kill", "killed; restarted and ready", for_s)


def pause(node: Node, lab: LabName = None) -> None:
    """Pause a node, as if it hung, until `resume`."""
    _act(lab, node, "pause", f"paused; continue with `xmpplab resume {node}`")


def resume(node: Node, lab: LabName = None) -> None:
    """Continue a paused node."""
    _act(lab, node, "resume", "continues")


def restart(
    node: Annotated[
        str, typer.Argument(help="Node, such as s1; or a domain: all of its nodes in turn.", autocompletion=restartable)
    ],
    lab: LabName = None,
) -> None:
    """Stop and start a node, and wait until it is ready again."""
    done, found = "stopped; restarted and ready", Lab.named(lab)
    if "." not in node and node not in {each.domain for each in found.plan.servers}:
        _act(lab, node, "restart", done)
        return
    for name, others in found.roll(node):
        _tell(name, done, others)


def _act(lab: str | None, node: str, action: NodeAction, done: str, for_s: float = 0.0) -> None:
    _tell(node, done, Lab.named(lab).act(node, action, for_s))


def _tell(node: str, done: str, others: list[str]) -> None:
    print(f"{node} {done}", flush=True)
    if others:
        print(f"and with it {shortened(others)}, in the same process")
        print("(with `isolate: true`, a server has its own: docs/scale.md)", flush=True)
