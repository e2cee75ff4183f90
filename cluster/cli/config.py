"""`xmpplab config`: a topology with all defaults and addresses."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cluster.cli.common import TopologyFile
from cluster.cli.output import print_json
from cluster.lab.api import read_plans
from cluster.trace.terminal import safe


def config(
    file: TopologyFile,
    format: Annotated[Literal["yaml", "json"], typer.Option(help="Output format; both have the same keys.")] = "yaml",
    redis: Annotated[str, typer.Option(metavar="URL", help="Redis to use, as for `up`.")] = "",
) -> None:
    """Print a topology with all defaults and addresses filled in. Passwords are included; nothing is started."""
    import yaml

    shown = read_plans(file, redis)[0].shown
    if format == "json":
        print_json(shown)
    else:
        print(safe(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=120)), end="")
