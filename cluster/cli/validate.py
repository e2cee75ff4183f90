"""`xmpplab validate`: is a topology or a scenario right?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import read_scenario
from cluster.cli.completion import files
from cluster.lab.api import BadInput, read_plans

if TYPE_CHECKING:
    from cluster.lab.verify.read import ScenarioFile


def validate(
    file: Annotated[
        str,
        typer.Argument(help="Topology file or scenario file (YAML), or the name of a scenario.", autocompletion=files),
    ],
) -> None:
    """Check a topology or a scenario; shows all that is wrong with it, and starts nothing."""
    if _is_scenario(file):
        _validate_scenario(read_scenario(file))
        return
    plan = read_plans(Path(file))[0]
    accounts = sum(len(server.accounts) for server in plan.servers)
    print(f"{file}: lab {plan.name}, servers: {len(plan.servers)}, accounts: {accounts}; nothing is wrong with it")


def _is_scenario(text: str) -> bool:
    """By what the file says; what is no file can only be a scenario's name."""
    from cluster.lab.verify.catalogue import scenario_path
    from cluster.lab.verify.read import is_scenario
    from cluster.topology import document
    from cluster.topology.problem import TopologyError

    try:
        return is_scenario(document.read(scenario_path(text)).data)
    except TopologyError:
        return False


def _validate_scenario(file: ScenarioFile) -> None:
    """Against the topology that it names, too."""
    from cluster.topology.problem import TopologyError

    scenario = file.scenario
    if file.topology is not None:
        try:
            file.check(read_plans(file.topology)[0])
        except TopologyError as error:
            raise BadInput(f"{file.path} does not fit its topology:\n{error}") from None
    where = f"topology {file.topology}" if file.topology else "any lab that is up"
    counts = f"flows: {len(scenario.flows)}, steps: {len(scenario.steps)}"
    print(f"{file.path}: scenario {scenario.name} for {where}, {counts}; nothing is wrong with it")
