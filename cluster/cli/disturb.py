"""`xmpplab kill`, `pause`, `resume` and `restart`: disturb one node of the lab, and see what the others do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import LabName, chosen
from cluster.cli.completion import nodes
from cluster.lab.errors import BadInput

if TYPE_CHECKING:
    from cluster.lab.state import Disturbance

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
    from cluster.base.units import DURATION

    try:
        for_s = DURATION.parse(for_) or 0.0 if for_ else 0.0
    except ValueError as error:
        raise BadInput(f"--for: {error}") from None
    _disturb(lab, node, "kill", "killed; restarted and ready", for_s)


def pause(node: Node, lab: LabName = None) -> None:
    """Pause a node, as if it hung, until `resume`."""
    _disturb(lab, node, "pause", "paused; continue with `xmpplab resume`")


def resume(node: Node, lab: LabName = None) -> None:
    """Continue a paused node."""
    _disturb(lab, node, "resume", "continues")


def restart(node: Node, lab: LabName = None) -> None:
    """Stop and start a node, and wait until it is ready again."""
    _disturb(lab, node, "restart", "stopped; restarted and ready")


def _disturb(lab: str | None, node: str, how: Disturbance, done: str, for_s: float = 0.0) -> None:
    from cluster.lab import driver

    driver.disturb(chosen(lab), node, how, for_s)
    print(f"{node} {done}")
