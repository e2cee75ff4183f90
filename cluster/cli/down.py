"""`xmpplab down`: take the lab down."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName, chosen


def down(
    keep: Annotated[bool, typer.Option("--keep", help="Keep accounts, messages, certificates and logs.")] = False,
    lab: LabName = None,
) -> None:
    """Take the lab down; nothing is left of it."""
    from cluster.lab import driver

    folder = chosen(lab)
    ran = driver.down(folder, keep=keep)
    rest = f"its data are in {folder.path}" if keep else "nothing is left of it"
    print(f"lab {folder.name} is down, {rest}" if ran else f"lab {folder.name} was down already, {rest}")
