"""What several sub-commands share: options, and reading what the user typed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.completion import labs_here, topologies
from cluster.lab.api import BadInput

if TYPE_CHECKING:
    from cluster.lab.verify.read import ScenarioFile
    from cluster.topology.plan import Plan

LabName = Annotated[
    str | None,
    typer.Option(
        "--lab",
        envvar="XMPPLAB_LAB",
        metavar="NAME",
        help="Name of the lab; needed if this folder has several. Or the folder of a kept one, such as run/.",
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


def duration_of(text: str) -> float | None:
    """The option --duration in seconds; None: it was not given. Raises BadInput."""
    from cluster.lab.verify.values import duration_s

    try:
        return duration_s(text) if text else None
    except ValueError as error:
        raise BadInput(f"--duration: {error}") from None


def read_scenario(text: str, duration: str = "") -> ScenarioFile:
    """A scenario by its path or its name. Raises BadInput with all of its errors.

    `duration` replaces the durations of all its flows.
    """
    from cluster.lab.catalogue import scenario_path
    from cluster.lab.verify.read import read
    from cluster.topology.problem import TopologyError

    so_long_s = duration_of(duration)
    path = scenario_path(text)
    try:
        return read(path, so_long_s)
    except TopologyError as error:
        raise BadInput(f"{path} is not valid:\n{error}") from None


def is_scenario(path: Path) -> bool:
    """Whether the content is that of a scenario; an unreadable file is reported as a topology."""
    from cluster.topology import document
    from cluster.topology.problem import TopologyError

    try:
        data = document.read(path).data
    except TopologyError:
        return False
    return isinstance(data, dict) and "flows" in data and "servers" not in data


def check_fits(file: ScenarioFile, plan: Plan) -> None:
    """Raises BadInput if a step or a flow of a scenario names what this lab does not have."""
    from cluster.topology.problem import TopologyError

    try:
        file.check(plan)
    except TopologyError as error:
        raise BadInput(f"{file.path} does not fit lab {plan.name}:\n{error}") from None
