"""What `up` would do, found out without doing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from cluster.lab import driver
from cluster.lab.addresses import first_free
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.same import check_same
from cluster.topology.plan import Plan


class Part(msgspec.Struct, frozen=True):
    """A process or container that would be started."""

    name: str
    listens: list[str]
    """Its addresses for others; Redis and what only connects have none."""


class Intention(msgspec.Struct, frozen=True):
    """What would be done."""

    lab: str
    does: Literal["nothing", "start", "start with kept data", "refuse"]
    why: str
    """It does nothing or refuses; else empty."""
    driver: driver.Kind
    state_dir: str
    parts: list[Part]


def intention(folder: LabFolder, plans: Sequence[Plan], kind: driver.Kind) -> Intention:
    """Of `driver.up` with the same arguments. Nothing is written and nothing is started."""
    plan, has_data = plans[0], folder.plan_file.exists()
    try:
        if has_data and driver.of(folder).is_up(folder):
            driver.check_kind(folder, kind)
            check_same(folder.plan(), plans)
            return Intention(plan.name, "nothing", "it is already up", kind, plan.state_dir, [])
        plan = first_free(plans)
    except LabError as error:
        return Intention(plan.name, "refuse", str(error), kind, plan.state_dir, [])
    return Intention(
        plan.name, "start with kept data" if has_data else "start", "", kind, plan.state_dir, list(_parts(plan))
    )


def _parts(plan: Plan) -> list[Part]:
    found = [] if plan.redis_url else [Part("redis", [])]
    found += [Part(server.name, _shown(server.listeners)) for server in plan.servers]
    for node in plan.lower_half:
        found.append(Part(node.name, _shown([(node.host, node.port)] if node.port else [])))
    return found


def _shown(listeners: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{host}:{port}" for host, port in listeners]
