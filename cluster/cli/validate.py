"""`xmpplab validate`: checks topologies and scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import is_scenario, read_scenario
from cluster.cli.completion import topologies_and_scenarios
from cluster.lab.api import BadInput, read_plans

if TYPE_CHECKING:
    from cluster.lab.verify.read import ScenarioFile


def validate(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Topology and scenario files (YAML), or the names of included ones.",
            autocompletion=topologies_and_scenarios,
        ),
    ],
) -> None:
    """Check topologies and scenarios. Reports every problem of all of them, and starts nothing."""
    from cluster.lab.catalogue import paths

    errors: list[str] = []
    for file in files:
        try:
            for path in paths(file):
                _validate(path)
        except BadInput as error:
            errors.append(str(error))
    if errors:
        raise BadInput("\n".join(errors))


def _validate(path: Path) -> None:
    if is_scenario(path):
        _validate_scenario(read_scenario(str(path)))
    else:
        _validate_topology(path)


def _validate_topology(path: Path) -> None:
    plan = read_plans(path)[0]
    accounts = sum(len(server.accounts) for server in plan.servers)
    services = sum(len(server.services) for server in plan.servers)
    counts = f"servers: {len(plan.servers)}, accounts: {accounts}" + (f", services: {services}" if services else "")
    print(f"{path}: lab {plan.name}, {counts}; valid")


def _validate_scenario(file: ScenarioFile) -> None:
    """Check the scenario against the topology that it names, too."""
    from cluster.topology.problem import TopologyError

    scenario = file.scenario
    if file.topology is not None:
        try:
            file.check(read_plans(file.topology)[0])
        except TopologyError as error:
            raise BadInput(f"{file.path} does not fit its topology:\n{error}") from None
    where = f"topology {file.topology}" if file.topology else "any lab that is up"
    counts = f"flows: {len(scenario.flows)}, steps: {len(scenario.steps)}"
    print(f"{file.path}: scenario {scenario.name} for {where}, {counts}; valid")
