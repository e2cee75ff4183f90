"""Completions for the shell: names from the files of this folder, without asking a running lab."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.lab import catalogue

if TYPE_CHECKING:
    from cluster.topology.plan import NetworkNode, Plan

_YAML = (".yaml", ".yml")


def _of_plans(names: Callable[[Plan], Iterable[str]]) -> Callable[[str], list[str]]:
    """For typer: the names that begin with the typed text, of all labs in this folder."""

    def complete(incomplete: str) -> list[str]:
        found = dict.fromkeys(name for plan in _plans() for name in names(plan))
        return [name for name in found if name.startswith(incomplete)]

    return complete


def _plans() -> Iterator[Plan]:
    """The plans of the labs in this folder; a damaged or unreadable one has no names, since completion shows no
    errors."""
    from cluster.lab.api import LabError, labs_here

    try:
        for lab in labs_here():
            yield lab.plan
    except (LabError, OSError):
        return


def _nodes(plan: Plan) -> Iterator[str]:
    if not plan.redis_url:
        yield "redis"
    for node in (*plan.servers, *plan.lower_half):
        yield node.name


def _servers(plan: Plan) -> Iterator[str]:
    for server in plan.servers:
        if not server.node_of:
            yield server.name


def _accounts(plan: Plan) -> Iterator[str]:
    for server in plan.servers:
        for seed in server.accounts:
            yield f"{seed.localpart}@{server.domain}"


def _addresses(plan: Plan) -> Iterator[str]:
    yield from _accounts(plan)
    for network in plan.networks:
        yield from network.people


nodes = _of_plans(_nodes)
restartable = _of_plans(lambda plan: (*_nodes(plan), *(server.domain for server in plan.servers)))
servers = _of_plans(_servers)
"""The ends of a link."""
accounts = _of_plans(_accounts)
addresses = _of_plans(_addresses)
networks = _of_plans(lambda plan: (network.name for network in plan.networks if not network.is_external))
labs_here = _of_plans(lambda plan: (plan.name,))


def people(kind: type[NetworkNode]) -> Callable[[str], list[str]]:
    """Those of the networks of a kind."""
    return _of_plans(lambda plan: (name for each in plan.networks if isinstance(each, kind) for name in each.people))


def _included(*catalogues: Callable[[], Iterable[str]], files_too: bool = True) -> Callable[[str], list[str]]:
    """For typer: names of included files, after the files of this folder."""

    def complete(incomplete: str) -> list[str]:
        names = dict.fromkeys(name for names in catalogues for name in names() if name.startswith(incomplete))
        return [*(files(incomplete) if files_too else ()), *names]

    return complete


topologies = _included(catalogue.topologies)
scenarios = _included(catalogue.scenarios)
topologies_and_scenarios = _included(catalogue.topologies, catalogue.scenarios)
names_of_topologies = _included(catalogue.topologies, files_too=False)
load_scenarios = _included(catalogue.load_scenarios, files_too=False)


def clients(incomplete: str) -> list[str]:
    """Client programs, installed or not."""
    from cluster.cli.web import PAGE
    from cluster.lab.api import client_programs

    names = sorted([*(each.name for each in client_programs()), PAGE])
    return [name for name in names if name.startswith(incomplete)]


def files(incomplete: str) -> list[str]:
    """YAML files, and the folders on the way to them."""
    typed = incomplete[: incomplete.rfind("/") + 1]
    try:
        found = sorted(Path(typed or ".").iterdir())
    except OSError:
        return []
    names = [f"{typed}{path.name}{'/' * path.is_dir()}" for path in found if path.is_dir() or path.suffix in _YAML]
    return [name for name in names if name.startswith(incomplete)]
