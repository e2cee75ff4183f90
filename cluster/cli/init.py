"""`xmpplab init`: write a topology file to start from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.completion import names_of_topologies
from cluster.lab.api import BadInput
from cluster.lab.catalogue import topologies


def init(
    name: Annotated[str, typer.Argument(help="Name of the lab; the file is NAME.yaml in this folder.")],
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            envvar="XMPPLAB_INIT_FROM",
            metavar="NAME",
            help="Included topology to copy.",
            autocompletion=names_of_topologies,
        ),
    ] = "start",
) -> None:
    """Write a topology file to start from. Never overwrites a file."""
    from cluster.kinds.base.finding import choice
    from cluster.kinds.base.values import check_name

    try:
        check_name(name)
    except ValueError as error:
        raise BadInput(str(error)) from None
    known = topologies()
    if from_ not in known:
        raise BadInput(f"no topology {from_!r}{choice(from_, known)}")
    path = Path(f"{name}.yaml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_renamed(known[from_].read_text(encoding="utf-8"), name))
    except FileExistsError:
        raise BadInput(f"{path} exists and is not overwritten; choose another name, or remove the file") from None
    print(f"written: {path}; check it with `xmpplab validate {path}`, run it with `xmpplab up {path}`")


def _renamed(text: str, name: str) -> str:
    """The same topology under another name, without the line that names the schema by a path of the project."""
    text = re.sub(r"\A# yaml-language-server:.*\n", "", text)
    return re.sub(r"^name: .*$", f"name: {name}", text, count=1, flags=re.MULTILINE)
