"""`xmpplab down`: take the lab down."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.lab.api import BadInput, Lab, LabError, labs_folder, labs_here, running_labs

Keep = Annotated[bool, typer.Option("--keep", help="Keep accounts, messages, certificates, logs and the journal.")]
All = Annotated[
    bool,
    typer.Option("--all", envvar="XMPPLAB_DOWN_ALL", help="All your running labs, in any folder."),
]


def down(keep: Keep = False, all_: All = False, lab: LabName = None) -> None:
    """Take the lab down, and remove its state."""
    if all_:
        if lab is not None:
            raise BadInput("--all and --lab exclude each other; give one of the two")
        _down_all(keep)
    elif os.sep not in (lab or "") and not any(lab in (None, each.name) for each in labs_here()):
        print(f"no lab{f' {lab}' if lab else ''} in {labs_folder()}; `xmpplab ls` lists your running labs")
    else:
        _down(Lab.named(lab), keep)


def _down_all(keep: bool) -> None:
    failed: list[str] = []
    found = running_labs()
    for lab in found:
        try:
            _down(lab, keep)
        except LabError as error:
            failed.append(f"{lab.path}: {error}")
    if not found:
        print("no lab is running")
    if failed:
        raise LabError("\n".join(failed))


def _down(lab: Lab, keep: bool) -> None:
    ran = lab.down(keep=keep)
    rest = f"its data is kept in {lab.path}" if keep else "its state is removed"
    if not keep and lab.path.exists():
        rest += f", and your other files stay in {lab.path}"
    print(f"lab {lab.name} is down, {rest}" if ran else f"lab {lab.name} was already down, {rest}")
