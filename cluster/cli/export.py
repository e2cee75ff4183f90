"""`xmpplab export`: a topology in the format of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import TopologyFile

if TYPE_CHECKING:
    from cluster.lab.containers.spread import Kind

app = typer.Typer(help="Export a topology for compose, Swarm or Kubernetes.", no_args_is_help=True)

Redis = Annotated[str, typer.Option(metavar="URL", help="URL of a Redis or Valkey that all machines can reach.")]
Image = Annotated[str, typer.Option(help="Name of the image on the machines.")]
Into = Annotated[Path | None, typer.Option(help="Folder for the file and its secrets; default: LAB-swarm, LAB-k8s.")]


@app.command()
def compose(file: TopologyFile) -> None:
    """Print a compose file for the lab. It creates its own secrets and CA."""
    from cluster.lab.containers.export import compose_file

    print(compose_file(file), end="")


@app.command()
def swarm(file: TopologyFile, redis: Redis, image: Image = "xmpplab", into: Into = None) -> None:
    """Write a stack file for Docker Swarm."""
    _spread(file, "swarm", redis, image, into)


@app.command()
def k8s(file: TopologyFile, redis: Redis, image: Image = "xmpplab", into: Into = None) -> None:
    """Write plain manifests for Kubernetes."""
    _spread(file, "k8s", redis, image, into)


def _spread(file: Path, kind: Kind, redis: str, image: str, into: Path | None) -> None:
    from cluster.lab.containers.spread import spread

    written = spread(file, kind, redis, image, into)
    print(f"written: {written}, which begins with instructions; clients must trust {written.with_name('ca.pem')}")
