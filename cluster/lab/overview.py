"""A lab at a glance: its processes, what they serve, and their sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil

from cluster.base.request import Status
from cluster.lab.answers import ComponentView, LinkView, NodeView, Overview, ServiceView
from cluster.lab.control.ask import ask
from cluster.lab.errors import LabError
from cluster.lab.faults import links_with_faults
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.redis_client import connected
from cluster.lab.state import NodeState
from cluster.lab.wait import pause
from cluster.redisio.keys import Keys
from cluster.topology.plan import GatewayNode, Plan, XmpplabServer

CPU_LOOK_S = 0.1
"""The time over which CPU usage is measured, at least."""

PATIENCE_S = 1.0
"""A server that does not count its sessions within this is shown without them."""


def overview(folder: LabFolder, nodes: Sequence[NodeState]) -> Overview:
    """The current state of the lab with these nodes. Raises LabError if it does not exist."""
    plan = folder.plan()
    meters = {node.name: _Meter(node.pid) for node in nodes if node.pid is not None}
    statuses = {node.name: _status(folder, plan, node) for node in nodes}
    if meters:
        pause(CPU_LOOK_S)
    views = [_view(folder, plan, node, statuses[node.name], meters.get(node.name)) for node in nodes]
    components = [each for node in nodes for each in _components(plan, node, statuses[node.name])]
    services = [ServiceView(each.domain, node.name, each.kind) for node in plan.servers for each in node.services]
    links: list[LinkView] = []
    with suppress(LabError), connected(folder.secrets()[ADMIN]) as redis:  # the lab is down, or Redis does not answer
        links = _links(redis, plan)
    return Overview(plan.name, plan.topology, plan.state_dir, str(folder.ca_file), views, components, services, links)


def _links(redis: Any, plan: Plan) -> list[LinkView]:
    keys = Keys.of_lab(plan.name)
    names = {server.domain: server.name for server in plan.servers if not server.node_of}
    broken = {(link.from_, link.to): link for link in links_with_faults(redis, plan)}
    pipeline = redis.pipeline(transaction=False)
    for domain in names:
        pipeline.smembers(keys.peers(domain))
    peers = zip(names, pipeline.execute(), strict=True)
    opened = [(peer.decode(errors="replace"), to) for to, found in peers for peer in found]
    opened = [(from_, to) for from_, to in opened if from_.partition("/")[0] in names]
    for from_, to in opened:
        pipeline.xlen(keys.link(to, from_))
    waiting: Counter[tuple[str, str]] = Counter()
    for (from_, to), length in zip(opened, pipeline.execute(), strict=True):
        waiting[names[from_.partition("/")[0]], names[to]] += length  # of all nodes of the sender
    return [
        LinkView(from_, to, waiting[from_, to], link.faults if link else {}, link.lost if link else 0)
        for from_, to in sorted({*waiting, *broken})
        for link in [broken.get((from_, to))]
    ]


def troubles(folder: LabFolder, plan: Plan) -> list[str]:
    """The problems of a running lab."""
    return [f"{each.name}: {said}" for each in plan.gateways if (said := _trouble(folder, plan, each))]


def _trouble(folder: LabFolder, plan: Plan, gateway: GatewayNode) -> str:
    """The problem that a gateway reports."""
    status: dict[str, Any] = {}
    with suppress(LabError):  # it died or hangs; the next look shows it
        status = ask(folder, plan, gateway, Status(), PATIENCE_S)
    return gateway.trouble(status, plan.network(gateway.network))


class _Meter:
    """Usage of a process; its CPU time counts from the creation of this."""

    def __init__(self, pid: int) -> None:
        self._process: psutil.Process | None = None
        with suppress(psutil.Error):
            self._process = psutil.Process(pid)
            self._process.cpu_percent()

    def read(self) -> tuple[float | None, int | None]:
        """Percent of one core, and resident bytes; None if it has ended or is another user's."""
        with suppress(psutil.Error):
            if self._process is not None:
                return self._process.cpu_percent(), self._process.memory_info().rss
        return None, None


def _status(folder: LabFolder, plan: Plan, node: NodeState) -> dict[str, Any]:
    """The status of a running server."""
    server = plan.server(node.name)
    if isinstance(server, XmpplabServer) and node.state == "running":
        with suppress(LabError):  # it died or hangs; the next look shows it
            return ask(folder, plan, server, Status(), PATIENCE_S)
    return {}


def _components(plan: Plan, node: NodeState, status: dict[str, Any]) -> list[ComponentView]:
    server = plan.server(node.name)
    if server is None or server.components_at is None:
        return []
    connected = status.get("components", {})
    at = server.components_at
    return [ComponentView(each.domain, node.name, at, connected.get(each.domain)) for each in server.components]


def _view(folder: LabFolder, plan: Plan, node: NodeState, status: dict[str, Any], meter: _Meter | None) -> NodeView:
    server = plan.server(node.name)
    gateway = next((each for each in plan.gateways if each.name == node.name), None)
    cpu_percent, memory_bytes = meter.read() if meter is not None else (None, None)
    return NodeView(
        name=node.name,
        kind=node.kind,
        domain=server.domain if server else gateway.domain if gateway else None,
        state=node.state,
        c2s=server.c2s if server else None,
        direct_tls=server.direct_tls if server else None,
        http=server.http if server else None,
        components=server.components_at if server else None,
        pid=node.pid,
        restarts=node.restarts,
        sessions=status.get("sessions"),
        cpu_percent=cpu_percent,
        memory_bytes=memory_bytes,
        started_utc=node.started_utc,
        last_exit=node.last_exit,
        trouble=_trouble(folder, plan, gateway) if gateway and node.state == "running" else "",
    )
