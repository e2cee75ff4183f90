"""`xmpplab config`: a topology file as it is understood."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cluster.cli.common import TopologyFile
from cluster.cli.output import print_json
from cluster.lab.api import read_plans
from cluster.trace.terminal import safe


def config(
    file: TopologyFile,
    format: Annotated[Literal["yaml", "json"], typer.Option(help="Both have the same keys.")] = "yaml",
    redis: Annotated[str, typer.Option(metavar="URL", help="As of `up`.")] = "",
) -> None:
    """Print what a topology file comes to, with all defaults and addresses, passwords too; nothing is started."""
    import msgspec
    import yaml

    plan = read_plans(file, redis)[0]
    if format == "json":
        print_json(plan)
    else:
        print(safe(yaml.safe_dump(msgspec.to_builtins(plan), sort_keys=False, allow_unicode=True, width=120)), end="")
