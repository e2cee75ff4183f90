"""`xmpplab graph`: a picture of a topology."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cluster.cli.common import TopologyFile
from cluster.lab.api import read_plans


def graph(
    file: TopologyFile,
    format: Annotated[
        Literal["text", "mermaid", "svg", "html"],
        typer.Option(help="For a terminal, Markdown, a picture, or a page for a browser (`> lab.html`)."),
    ] = "text",
) -> None:
    """Draw the network of a topology file."""
    from cluster.topology.graph import draw

    print(draw(read_plans(file)[0], format))
