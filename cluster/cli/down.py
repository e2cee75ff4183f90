"""`xmpplab down`: take the lab down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import LabName, chosen
from cluster.lab.errors import BadInput, LabError

if TYPE_CHECKING:
    from cluster.lab.folder import LabFolder

Keep = Annotated[bool, typer.Option("--keep", help="Keep accounts, messages, certificates and logs.")]
All = Annotated[
    bool,
    typer.Option("--all", envvar="XMPPLAB_DOWN_ALL", help="All your running labs, in any folder."),
]


def down(keep: Keep = False, all_: All = False, lab: LabName = None) -> None:
    """Take the lab down, and remove its state."""
    from cluster.lab import driver
    from cluster.lab.folder import LABS, labs

    if all_:
        if lab is not None:
            raise BadInput("--all and --lab exclude each other; give one of the two")
        _down_all(keep)
        return
    known = labs(Path.cwd())
    if not known or (lab is not None and all(each.name != lab for each in known)):
        print(f"no lab{f' {lab}' if lab else ''} in {Path.cwd() / LABS}; `xmpplab ls` lists your running labs")
        return
    folder = chosen(lab)
    _tell(folder, driver.down(folder, keep=keep), keep)


def _down_all(keep: bool) -> None:
    from cluster.lab.everywhere import running_labs

    failed: list[str] = []
    found = running_labs()
    for folder, runs_it in found:
        try:
            _tell(folder, runs_it.down(folder, keep=keep), keep)
        except LabError as error:
            failed.append(f"{folder.path}: {error}")
    if not found:
        print("no lab is running")
    if failed:
        raise LabError("\n".join(failed))


def _tell(folder: LabFolder, ran: bool, keep: bool) -> None:
    rest = f"its data is kept in {folder.path}" if keep else "its state is removed"
    print(f"lab {folder.name} is down, {rest}" if ran else f"lab {folder.name} was already down, {rest}")
