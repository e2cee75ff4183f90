"""A lab at a glance: each of its processes, what it serves, and who is there."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from cluster.lab import driver
from cluster.lab.ask import ask
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.state import NodeKind, NodeState, State
from cluster.topology.plan import Plan

PATIENCE_S = 1.0
"""A server that is too busy to count its sessions for this long is shown without them."""


class NodeView(msgspec.Struct, frozen=True):
    """One process, as `ps` shows it; None where a thing does not apply or is not known."""

    name: str
    kind: NodeKind
    domain: str | None
    state: State
    c2s: str | None
    direct_tls: str | None
    """Where clients may begin with TLS at once (XEP-0368)."""
    pid: int | None
    restarts: int
    sessions: int | None
    started_utc: str
    last_exit: str


class Overview(msgspec.Struct, frozen=True):
    """The whole lab."""

    lab: str
    topology: str
    state_dir: str
    ca_file: str
    """What clients have to trust, PEM."""
    nodes: list[NodeView]


def overview(folder: LabFolder) -> Overview:
    """How the lab is now. Raises LabError where there is none."""
    plan = folder.plan()
    views = [_view(folder, plan, node) for node in driver.of(folder).status(folder)]
    return Overview(plan.name, plan.topology, plan.state_dir, str(folder.ca_file), views)


def _view(folder: LabFolder, plan: Plan, node: NodeState) -> NodeView:
    server = plan.server(node.name)
    sessions = None
    if server is not None and node.state == "running":
        with suppress(LabError):  # it died or hangs just now; the next look tells
            sessions = ask(folder, plan, server, "status", {}, PATIENCE_S)["sessions"]
    return NodeView(
        node.name,
        node.kind,
        server.domain if server else next((each.domain for each in plan.gateways if each.name == node.name), None),
        node.state,
        server.c2s if server else None,
        server.direct_tls if server else None,
        node.pid,
        node.restarts,
        sessions,
        node.started_utc,
        node.last_exit,
    )
