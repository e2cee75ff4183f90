"""A lab at a glance: its processes, what they serve, and their sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil

from cluster.base.request import Status
from cluster.lab.answers import ComponentView, LinkView, NodeView, Overview, ServiceView, Usage
from cluster.lab.control.ask import REDIS_PATIENCE_S, ask_all
from cluster.lab.errors import LabError
from cluster.lab.faults import links_with_faults
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.redis_client import connected
from cluster.lab.state import NodeState
from cluster.lab.targets import metrics_at
from cluster.lab.wait import pause
from cluster.redisio.keys import Keys
from cluster.topology.plan import GatewayNode, LabNode, Plan, XmpplabServer

CPU_LOOK_S = 0.1
"""The time over which CPU usage is measured, at least."""

PATIENCE_S = 1.0
PATIENCE_PER_NODE_S = 0.005
"""A server that does not count its sessions within this is shown without them; many share the cores."""

Statuses = dict[str, dict[str, Any]]
"""What nodes say of themselves, by their names."""


def overview(folder: LabFolder, nodes: Sequence[NodeState]) -> Overview:
    """The current state of the lab with these nodes. Raises LabError if it does not exist."""
    plan = folder.plan()
    meters = {node.name: _Meter(pid) for pid, node in first_of_each(nodes).items()}
    is_answered = all(node.state == "running" for node in nodes if node.kind == "redis")
    statuses = _statuses(folder, plan, nodes) if is_answered else {}
    if meters:
        pause(CPU_LOOK_S)
    views = [_view(folder, plan, node, statuses, meters.get(node.name)) for node in nodes]
    components = [each for node in nodes for each in _components(plan, node, statuses.get(node.name, {}))]
    services = [ServiceView(each.domain, node.name, each.kind) for node in plan.servers for each in node.services]
    about = plan.name, plan.topology, plan.state_dir, str(folder.ca_file)
    return Overview(*about, views, components, services, links(folder, plan) if is_answered else [])


def look(folder: LabFolder, node: NodeState) -> NodeView:
    """The current state of one node."""
    plan = folder.plan()
    meter = _Meter(node.pid) if node.pid is not None else None
    statuses = _statuses(folder, plan, [node])
    if meter is not None:
        pause(CPU_LOOK_S)
    return _view(folder, plan, node, statuses, meter)


def links(folder: LabFolder, plan: Plan) -> list[LinkView]:
    """The links between domains that were ever used or have faults; empty if Redis does not answer, as in a lab that is
    down."""
    with suppress(LabError), connected(folder.secrets()[ADMIN], REDIS_PATIENCE_S) as redis:
        return links_over(redis, plan)
    return []


def links_over(redis: Any, plan: Plan) -> list[LinkView]:
    """As `links`, over an open connection."""
    keys = Keys.of_lab(plan.name)
    names = {server.domain: server.name for server in plan.servers if not server.node_of}
    broken = {(link.from_, link.to): link for link in links_with_faults(redis, plan)}
    pipeline = redis.pipeline(transaction=False)
    for domain in names:
        pipeline.smembers(keys.peers(domain))
    peers = zip(names, pipeline.execute(), strict=True)
    opened = [(peer.decode(errors="replace"), to) for to, found in peers for peer in found]
    opened = [(from_, to) for from_, to in opened if (domain := from_.partition("/")[0]) in names and domain != to]
    for from_, to in opened:
        pipeline.xinfo_stream(keys.link(to, from_))
    waiting: Counter[tuple[str, str]] = Counter()
    written: Counter[tuple[str, str]] = Counter()
    for (from_, to), stream in zip(opened, pipeline.execute(raise_on_error=False), strict=True):
        way = names[from_.partition("/")[0]], names[to]  # of all nodes of the sender
        is_there = isinstance(stream, dict)  # nothing was written yet
        waiting[way] += stream["length"] if is_there else 0
        written[way] += stream["entries-added"] if is_there else 0
    return [
        LinkView(
            from_, to, waiting[from_, to], written[from_, to], link.faults if link else {}, link.lost if link else 0
        )
        for from_, to in sorted({*waiting, *broken})
        for link in [broken.get((from_, to))]
    ]


def troubles(folder: LabFolder, plan: Plan) -> list[str]:
    """The problems of a running lab."""
    statuses = _told(folder, plan, plan.gateways)
    return [f"{each.name}: {said}" for each in plan.gateways if (said := _trouble(plan, each, statuses))]


def _trouble(plan: Plan, gateway: GatewayNode, statuses: Statuses) -> str:
    """The problem that a gateway reports."""
    return gateway.trouble(statuses.get(gateway.name, {}), plan.network(gateway.network))


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


class Usages:
    """The usage of the processes of a lab, each since the last look at it."""

    def __init__(self) -> None:
        self._meters: dict[int, _Meter] = {}

    def read(self, nodes: Sequence[NodeState]) -> list[Usage]:
        """What the processes of these nodes have used, each with the name of its first node; one that is seen for the
        first time has used nothing yet."""
        pids = {node.name: pid for pid, node in first_of_each(nodes).items()}
        self._meters = {pid: self._meters.get(pid) or _Meter(pid) for pid in pids.values()}
        found = {name: self._meters[pid].read() for name, pid in pids.items()}
        return [Usage(name, cpu or 0.0, memory) for name, (cpu, memory) in found.items() if memory is not None]


def first_of_each(nodes: Sequence[NodeState]) -> dict[int, NodeState]:
    """By the id of each process: its first node, under whose name its usage is shown."""
    found: dict[int, NodeState] = {}
    for node in nodes:
        if node.pid is not None:
            found.setdefault(node.pid, node)
    return found


def _statuses(folder: LabFolder, plan: Plan, nodes: Sequence[NodeState]) -> Statuses:
    """Of those that run."""
    running = {node.name for node in nodes if node.state == "running"}
    asked: list[LabNode] = [*plan.ours, *plan.gateways]
    return _told(folder, plan, [node for node in asked if node.name in running])


def _told(folder: LabFolder, plan: Plan, nodes: Sequence[LabNode]) -> Statuses:
    """What these say; one that died or hangs says nothing, and the next look shows it."""
    with suppress(LabError):
        return ask_all(folder, plan, nodes, Status(), PATIENCE_S + PATIENCE_PER_NODE_S * len(nodes))
    return {}


def _components(plan: Plan, node: NodeState, status: dict[str, Any]) -> list[ComponentView]:
    server = plan.server(node.name)
    if server is None or server.components_at is None:
        return []
    connected = status.get("components", {})
    at = server.components_at
    return [ComponentView(each.domain, node.name, at, connected.get(each.domain)) for each in server.components]


def _view(folder: LabFolder, plan: Plan, node: NodeState, statuses: Statuses, meter: _Meter | None) -> NodeView:
    server = plan.server(node.name)
    gateway = next((each for each in plan.gateways if each.name == node.name), None)
    process = (server.shares if isinstance(server, XmpplabServer) else "") or node.name
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
        metrics=metrics_at(folder, process) if node.pid is not None else None,
        pid=node.pid,
        restarts=node.restarts,
        sessions=statuses.get(node.name, {}).get("sessions"),
        cpu_percent=cpu_percent,
        memory_bytes=memory_bytes,
        started_utc=node.started_utc,
        last_exit=node.last_exit,
        trouble=_trouble(plan, gateway, statuses) if gateway and node.state == "running" else "",
    )
