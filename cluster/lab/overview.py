"""A lab at a glance: each of its processes, what it serves, and who is there."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

import msgspec
import psutil

from cluster.lab import driver
from cluster.lab.ask import ask
from cluster.lab.errors import LabError
from cluster.lab.faults import links_with_faults
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.redis_client import connected
from cluster.lab.state import NodeKind, NodeState, State
from cluster.lab.wait import pause
from cluster.redisio.keys import Keys
from cluster.topology.plan import GatewayNode, Plan

CPU_LOOK_S = 0.1
"""Over at least this time, what a process uses of a core is measured."""

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
    http: str | None
    """Where clients on the web find it (XEP-0156)."""
    components: str | None
    """Where components connect (XEP-0114)."""
    pid: int | None
    restarts: int
    sessions: int | None
    cpu_percent: float | None
    """Of one core, at this moment."""
    memory_bytes: int | None
    """Resident."""
    started_utc: str
    last_exit: str
    trouble: str
    """What does not work of it, though it runs; empty: nothing."""


class ComponentView(msgspec.Struct, frozen=True):
    """A component that a server lets in: a gateway of the lab, or a program of its user."""

    domain: str
    server: str
    """Name of the server's node that it connects to."""
    address: str
    is_connected: bool | None
    """None where the server does not tell."""


class LinkView(msgspec.Struct, frozen=True):
    """One direction between two servers that something was ever sent over, or that has faults."""

    from_: str = msgspec.field(name="from")
    """Name of the server that sends."""
    to: str
    waiting: int
    """Batches of stanzas that the other server has not acknowledged."""
    faults: dict[str, str]
    """As `xmpplab fault set` takes them."""
    lost: int
    """Stanzas that the faults have lost since the lab came up."""


class Overview(msgspec.Struct, frozen=True):
    """The whole lab."""

    lab: str
    topology: str
    state_dir: str
    ca_file: str
    """What clients have to trust, PEM."""
    nodes: list[NodeView]
    components: list[ComponentView]
    links: list[LinkView]
    """None of them where Redis does not answer."""


def overview(folder: LabFolder) -> Overview:
    """How the lab is now. Raises LabError where there is none."""
    plan = folder.plan()
    nodes = driver.of(folder).status(folder)
    meters = {node.name: _Meter(node.pid) for node in nodes if node.pid is not None}
    statuses = {node.name: _status(folder, plan, node) for node in nodes}
    if meters:
        pause(CPU_LOOK_S)
    views = [_view(folder, plan, node, statuses[node.name], meters.get(node.name)) for node in nodes]
    components = [each for node in nodes for each in _components(plan, node, statuses[node.name])]
    links: list[LinkView] = []
    with suppress(LabError), connected(folder.secrets()[ADMIN]) as redis:  # the lab is down, or Redis hangs just now
        links = _links(redis, plan)
    return Overview(plan.name, plan.topology, plan.state_dir, str(folder.ca_file), views, components, links)


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
    """What does not work of a lab that runs."""
    return [f"{each.name}: {said}" for each in plan.gateways if (said := _trouble(folder, plan, each))]


def _trouble(folder: LabFolder, plan: Plan, gateway: GatewayNode) -> str:
    """Of a gateway: is the real system there that it is for?"""
    network = plan.network(gateway.network)
    status: dict[str, bool] = {}
    with suppress(LabError):  # it died or hangs just now; the next look tells
        status = ask(folder, plan, gateway, "status", {}, PATIENCE_S)
    if status.get("bound", True):
        return ""
    where = f"the message centre {network.host}:{network.port}"
    return f"is not bound at {where} and keeps trying; see `xmpplab logs {gateway.name}`"


class _Meter:
    """What a process uses; its time on the CPU is counted from when this is made."""

    def __init__(self, pid: int) -> None:
        self._process: psutil.Process | None = None
        with suppress(psutil.Error):
            self._process = psutil.Process(pid)
            self._process.cpu_percent()

    def read(self) -> tuple[float | None, int | None]:
        """Percent of one core, and resident bytes; None where it has ended or is somebody else's."""
        with suppress(psutil.Error):
            if self._process is not None:
                return self._process.cpu_percent(), self._process.memory_info().rss
        return None, None


def _status(folder: LabFolder, plan: Plan, node: NodeState) -> dict[str, Any]:
    """What a server that runs tells of itself."""
    server = plan.server(node.name)
    if server is not None and node.state == "running":
        with suppress(LabError):  # it died or hangs just now; the next look tells
            return dict(ask(folder, plan, server, "status", {}, PATIENCE_S))
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
