"""What `up` would do, without doing it."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.lab import DriverKind
from cluster.lab.answers import Intention, Part
from cluster.lab.driver import driver_of, kind_of
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.provision.addresses import first_free
from cluster.lab.provision.same import check_same
from cluster.topology.plan import Plan


def check_kind(folder: LabFolder, kind: DriverKind) -> None:
    """Raises LabError if the lab in this folder has another driver."""
    if folder.orchestrator is not None:
        raise LabError(f"{folder.path} is an export; deploy it as its file says, or remove it with `xmpplab down`")
    if kind_of(folder) != kind:
        raise LabError(f"lab {folder.name!r} was brought up with the other driver; run `xmpplab down` first")


def intention(folder: LabFolder, plans: Sequence[Plan], kind: DriverKind) -> Intention:
    """What `up` with the same arguments would do. Nothing is written and nothing is started."""
    plan, has_data = plans[0], folder.plan_file.exists()
    try:
        if folder.orchestrator is not None:
            check_kind(folder, kind)
        if has_data and driver_of(folder).is_up():
            check_kind(folder, kind)
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
    found += [Part(server.name, _shown(server.listeners)) for server in plan.started]
    for node in plan.lower_half:
        found.append(Part(node.name, _shown(node.listeners)))
    return found


def _shown(listeners: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{host}:{port}" for host, port in listeners]
