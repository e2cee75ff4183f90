"""`xmpplab export`: a topology in the format of another tool, or what workers of a load test need elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.common import LabName, TopologyFile
from cluster.cli.completion import load_scenarios
from cluster.cli.load_options import SCENARIO

app = typer.Typer(help="Export for compose, Swarm, Kubernetes; for load workers.", no_args_is_help=True)

Redis = Annotated[str, typer.Option(metavar="URL", help="URL of a Redis or Valkey that all machines can reach.")]
ImageName = Annotated[str, typer.Option(help="Name of the image on the machines.")]
Into = Annotated[Path | None, typer.Option(help="Folder for the file and its secrets; default: LAB-swarm, LAB-k8s.")]
PullSecret = Annotated[str, typer.Option(metavar="NAME", help="Secret of the namespace with the registry's login.")]


@app.command()
def compose(file: TopologyFile) -> None:
    """Print a compose file for the lab. It creates its own secrets and CA."""
    from cluster.lab.containers.export import compose_file

    print(compose_file(file), end="")


@app.command()
def swarm(file: TopologyFile, redis: Redis, image: ImageName = "xmpplab", into: Into = None) -> None:
    """Write a stack file for Docker Swarm."""
    from cluster.lab.containers.spread import spread

    _tell(spread(file, "swarm", redis, image, into))


@app.command()
def k8s(
    file: TopologyFile, redis: Redis, image: ImageName = "xmpplab", pull_secret: PullSecret = "", into: Into = None
) -> None:
    """Write a kustomize base for Kubernetes."""
    from cluster.lab.containers.spread import spread

    _tell(spread(file, "k8s", redis, image, into, pull_secret))


@app.command()
def load(
    master: Annotated[str, typer.Option(metavar="HOST[:PORT]", help="Address of the master, which workers reach.")],
    scenario: Annotated[
        str, typer.Argument(help="Load scenario, or a locust file of your own.", autocompletion=load_scenarios)
    ] = SCENARIO,
    target: Annotated[
        list[str] | None, typer.Option(metavar="DOMAIN[=HOST:PORT]", help="As of `xmpplab load`; once for each.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate of the CA of servers outside of the lab, PEM.")
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="DOMAIN=HOST[:PORT]", help="Where workers reach this domain of the lab; once for each."),
    ] = None,
    into: Annotated[Path | None, typer.Option(help="Folder to write; default: load-worker.")] = None,
    lab: LabName = None,
) -> None:
    """Write what the users of a load test need on another host."""
    from cluster.cli.load_worker import write_worker

    readme = write_worker(scenario, master, target or (), ca, at or (), into or Path("load-worker"), lab)
    print(f"written: {readme}, with the commands for the master and for each worker")


def _tell(written: Path) -> None:
    print(f"written: {written}, which begins with instructions; clients must trust {written.with_name('ca.pem')}")
