"""The door to simulations, for commands, tests and programs. It is quick to import: each call imports what it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cluster.lab.errors import BadInput

if TYPE_CHECKING:
    from cluster.simulation.report import SimulationReport
    from cluster.topology.plan import Plan

DOMAIN_BYTES = 70_000
"""Measured memory of a domain."""
PERSON_BYTES = 95_000
"""Measured memory of an online person: client, both ends of the connection, session and contacts."""
SHARE = 0.8
"""The share of the free memory that a run may take."""


def simulate(
    plan: Plan,
    *,
    seed: int = 1,
    duration_s: float = 3600.0,
    people: int = 0,
    troubles: int = 0,
    tell: Callable[[str], None] = lambda text: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> SimulationReport:
    """Run the plan's network in virtual time, and account for every message.

    `people`: how many accounts are played, 0 for those of the topology; `troubles`: how many (see `troubles.py`);
    `tell` hears how far it is; once `is_stopped`, the report tells so far. The same arguments give the same digest.
    Raises BadInput for what cannot be simulated.
    """
    from cluster.simulation.run import Simulation

    check(plan)
    if not people and not any(node.accounts for node in plan.servers):
        raise BadInput(f"{plan.topology} has no accounts; say how many people there are (--people)")
    check_memory(plan, people)
    return Simulation(plan, seed, people, troubles, duration_s).run(tell, is_stopped)


def check(plan: Plan) -> None:
    """Raises BadInput that lists all parts of the plan that cannot be simulated, with remedies."""
    ours = {node.name for node in plan.ours}
    foreign = [node for node in plan.servers if node.name not in ours]
    found = [f"server {node.name} is of kind {node.kind}, a program of its own; make it xmpplab" for node in foreign]
    found += [f"gateway {each.name} ({each.domain}) has no simulated network; leave it out" for each in plan.gateways]
    found += [f"network {each.name} is not simulated; leave it out" for each in plan.networks]
    found += [
        f"server {node.name} has a link with `transport: s2s`; leave the key out, so that the router carries it"
        for node in plan.ours
        if node.s2s_peers and not foreign
    ]
    if found:
        raise BadInput(f"{plan.topology} cannot be simulated:\n" + "\n".join(f"  {each}" for each in found))


def check_memory(plan: Plan, people: int) -> None:
    """Raises BadInput where the run needs more memory than is free."""
    import psutil

    from cluster.simulation.population import accounts

    count = max(people, len(accounts(plan)))
    needed = len(plan.servers) * DOMAIN_BYTES + count * PERSON_BYTES
    free = psutil.virtual_memory().available * SHARE
    if needed > free:
        raise BadInput(
            f"{len(plan.servers):,} domains with {count:,} people need about {needed / 2**30:.1f} GiB of memory, and "
            f"{free / 2**30:.1f} GiB may be taken; simulate fewer people (--people) or domains"
        )
