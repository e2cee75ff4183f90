"""`xmpplab kill`, `pause`, `resume` and `restart`: disturb one node of the lab, and see what the others do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import LabName, chosen

if TYPE_CHECKING:
    from cluster.lab.state import Disturbance

Node = Annotated[str, typer.Argument(help="Such as s1 or redis; see `xmpplab ps`.")]


def kill(node: Node, lab: LabName = None) -> None:
    """Let a node crash (SIGKILL), and wait until it was started again."""
    _disturb(lab, node, "kill", "crashed, and answers again")


def pause(node: Node, lab: LabName = None) -> None:
    """Let a node hang, until `resume`."""
    _disturb(lab, node, "pause", "hangs; `xmpplab resume` ends that")


def resume(node: Node, lab: LabName = None) -> None:
    """Let a node that hangs go on."""
    _disturb(lab, node, "resume", "goes on")


def restart(node: Node, lab: LabName = None) -> None:
    """End a node in an orderly way, and wait until it was started again."""
    _disturb(lab, node, "restart", "was ended, and answers again")


def _disturb(lab: str | None, node: str, how: Disturbance, done: str) -> None:
    from cluster.lab import driver

    driver.disturb(chosen(lab), node, how)
    print(f"{node} {done}")
