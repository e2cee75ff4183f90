"""How many nodes serve a domain: the plan with more or fewer of them."""

from __future__ import annotations

import msgspec

from cluster.kinds.xmpplab import MAX_NODES
from cluster.topology.addresses import hosts_from
from cluster.topology.plan import Plan, S2sPeer, ServerNode, XmpplabServer

MAX_LAB_NODES = 2_000
"""Of a lab, gateways and networks included; 1,000 were tried (docs/scale.md). Each has two connections to Redis, which
accepts 10,000."""
MAX_TOPOLOGY_NODES = 10_000
"""Of a topology; more than MAX_LAB_NODES can be simulated only."""
ONE_HOST = "127.0.0.1"
"""Where a system has only this, the nodes have ports of their own in place of addresses."""
_PORT_STEP = 10
_PORTS = range(1024, 65536)
"""Those that need no root."""


def node_name(server: str, number: int) -> str:
    """The name of a node: that of the server for the first, `s1-2` for the second of `s1`."""
    return server if number == 1 else f"{server}-{number}"


def with_nodes(plan: Plan, server: str, count: int) -> Plan:
    """The plan in which `count` nodes serve the domain of this server; the first ones are unchanged.

    Raises ValueError for an unknown server, an impossible number, and a name that is taken.
    """
    nodes = plan.nodes_of(server)
    if not nodes:
        known = ", ".join(dict.fromkeys(node.server for node in plan.servers))
        raise ValueError(f"no server {server!r} (servers: {known})")
    if not 1 <= count <= MAX_NODES:
        raise ValueError(f"{server} cannot have {count} nodes; from 1 to {MAX_NODES} serve one domain")
    first = nodes[0]
    if not isinstance(first, XmpplabServer):
        if count == 1:
            return plan
        raise ValueError(f"{server} is of kind {first.kind}, which has one node; only one of kind xmpplab has more")
    if len(nodes) == count:
        return plan
    for number in range(len(nodes) + 1, count + 1):
        name = node_name(server, number)
        names = [[node.name for node in nodes] for nodes in (plan.servers, plan.gateways, plan.networks)]
        if any(name in some for some in names):
            raise ValueError(f"node {number} of {server} would be named {name}, which is another node's name")
        plan = _with(plan, server, [*plan.nodes_of(server), _further(plan, first, name)])
    return _reached_anywhere(_with(plan, server, plan.nodes_of(server)[:count]))


def _reached_anywhere(plan: Plan) -> Plan:
    """The plan whose servers know all nodes of the domains to which they open XML streams, the first one first."""

    served_by = plan.served_by

    def reached(server: ServerNode) -> ServerNode:
        found: list[S2sPeer] = []
        for domain in dict.fromkeys(peer.domain for peer in server.s2s_peers):
            nodes = [node for node in plan.servers if node.domain == served_by.get(domain, domain)]
            found += sorted((each for node in nodes for each in node.at(domain)), key=lambda each: not each.direct_tls)
        return msgspec.structs.replace(server, s2s_peers=tuple(found))

    return msgspec.structs.replace(plan, servers=tuple(map(reached, plan.servers)))


def as_written(plan: Plan) -> Plan:
    """The plan with the first node of each server only: the same for a lab however it was scaled.

    Which server runs in which process follows from the rest.
    """
    first = tuple(_alone(node) for node in plan.servers if not node.node_of)
    return _reached_anywhere(msgspec.structs.replace(plan, servers=first))


def _alone(node: ServerNode) -> ServerNode:
    return msgspec.structs.replace(node, shares="") if isinstance(node, XmpplabServer) else node


def _with(plan: Plan, server: str, nodes: list[ServerNode]) -> Plan:
    servers: list[ServerNode] = []
    for node in plan.servers:
        if node.server != server:
            servers.append(node)
        elif not node.node_of:
            servers.extend(nodes)
    return msgspec.structs.replace(plan, servers=tuple(servers))


def _further(plan: Plan, first: XmpplabServer, name: str) -> XmpplabServer:
    """A node beside the first one: accounts are made, components connect and services are there only."""
    host, shift = _place(plan, first)
    return msgspec.structs.replace(
        first, name=name, node_of=first.name, host=host, c2s_port=first.c2s_port + shift,
        direct_tls_port=first.direct_tls_port + shift, http_port=first.http_port + shift,
        s2s_port=first.s2s_port + shift, accounts=(), components=(), services=(), shares="",
        s2s_direct_tls_port=first.s2s_direct_tls_port and first.s2s_direct_tls_port + shift,
    )  # fmt: skip


def _place(plan: Plan, first: XmpplabServer) -> tuple[str, int]:
    """A host of the lab's own block that no node has; where there is one host only, how far to shift the ports."""
    hosts, ports = {host for host, _ in plan.listeners}, {port for _, port in plan.listeners}
    hosts |= {server.host for server in plan.servers}
    if hosts == {ONE_HOST}:
        return ONE_HOST, _shift(first, ports)
    if len(hosts) >= MAX_LAB_NODES:
        raise ValueError(f"a lab has at most {MAX_LAB_NODES} nodes; no loopback address is left for another one")
    return next(host for host in hosts_from(first.host, MAX_LAB_NODES) if host not in hosts), 0


def _shift(first: XmpplabServer, taken: set[int]) -> int:
    """The distance to the nearest free ports above, otherwise below."""
    shifts: tuple[int, ...] = (
        *range(_PORT_STEP, len(_PORTS), _PORT_STEP),
        *range(-_PORT_STEP, -len(_PORTS), -_PORT_STEP),
    )
    for shift in shifts:
        if all(port + shift in _PORTS and port + shift not in taken for port in first.ports):
            return shift
    raise ValueError("no port is left for another node")
