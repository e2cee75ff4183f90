"""`xmpplab export`: a topology in the format of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Write a topology in the format of another tool.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """One format is a sub-command too."""


@app.command()
def compose(file: Annotated[Path, typer.Argument(help="Topology file (YAML).")]) -> None:
    """Print a compose file that brings the lab up by itself: it makes its own secrets and CA."""
    from cluster.lab.containers.export import compose_file

    print(compose_file(file), end="")
