"""What several sub-commands share: options, and reading what the user typed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.completion import labs_here, topologies
from cluster.lab.api import BadInput

if TYPE_CHECKING:
    from cluster.lab.verify.read import ScenarioFile

LabName = Annotated[
    str | None,
    typer.Option(
        "--lab",
        envvar="XMPPLAB_LAB",
        metavar="NAME",
        help="Name of the lab; needed if this folder has several.",
        autocompletion=labs_here,
    ),
]
Password = Annotated[
    str | None, typer.Option(help="Password of the account that logs in, if the topology does not give it.")
]


def _found(file: Path | None) -> Path | None:
    from cluster.lab.catalogue import topology_path

    return None if file is None else topology_path(str(file))


TOPOLOGY_HELP = "Topology file (YAML), or the name of a topology that is included, such as rfc3920"
TopologyFile = Annotated[
    Path, typer.Argument(metavar="FILE", help=f"{TOPOLOGY_HELP}.", autocompletion=topologies, callback=_found)
]
OptionalTopologyFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help=f"{TOPOLOGY_HELP}; default: the only *.yaml here.",
        autocompletion=topologies,
        callback=_found,
    ),
]


def read_scenario(text: str, duration: str = "") -> ScenarioFile:
    """A scenario by its path or its name. Raises BadInput with all of its errors.

    `duration` replaces the durations of all its flows.
    """
    from cluster.lab.catalogue import scenario_path
    from cluster.lab.verify.read import read
    from cluster.lab.verify.values import duration_s
    from cluster.topology.problem import TopologyError

    try:
        so_long_s = duration_s(duration) if duration else None
    except ValueError as error:
        raise BadInput(f"--duration: {error}") from None
    path = scenario_path(text)
    try:
        return read(path, so_long_s)
    except TopologyError as error:
        raise BadInput(f"{path} is not valid:\n{error}") from None
