"""`xmpplab generate`: write a topology of any size."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from cluster.lab.api import BadInput, read_plans
from cluster.topology.generate import MAX_ACCOUNTS, Shape, topology
from cluster.topology.scale import MAX_TOPOLOGY_NODES


def generate(
    domains: Annotated[int, typer.Option(min=1, max=MAX_TOPOLOGY_NODES, help="Number of domains.")] = 10,
    users: Annotated[int, typer.Option(min=0, help="Number of accounts of each domain.")] = 10,
    shape: Annotated[Shape, typer.Option(help="Which domains are joined; in a mesh all are.")] = "mesh",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same topology.")] = 1,
    name: Annotated[str, typer.Option(help="Name of the lab.")] = "generated",
) -> None:
    """Print a topology of any size, with contacts along its links."""
    from cluster.kinds.base.values import check_name

    try:
        check_name(name)
    except ValueError as error:
        raise BadInput(str(error)) from None
    if domains * users > MAX_ACCOUNTS:
        raise BadInput(f"{domains * users:,} accounts are too many: at most {MAX_ACCOUNTS:,}; give fewer --users")
    text = "\n".join(topology(name, domains, users, shape, seed)) + "\n"
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.yaml"
        file.write_text(text, encoding="utf-8")
        read_plans(file)
    print(text, end="")
