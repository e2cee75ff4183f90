"""The parts of a lab on Kubernetes: what becomes a StatefulSet, and how others find it. Pure."""

from __future__ import annotations

import msgspec

from cluster.lab.containers.compose import outer_ports, program
from cluster.lab.containers.files import Hosts
from cluster.topology.plan import GatewayNode, NetworkNode, Plan, ServerNode, XmpplabServer

MAX_NAME_LENGTH = 52
"""Of a StatefulSet: the label of its pods has at most 63 characters, with a hash after the name."""

POD = "POD"
"""Variable with the name of the pod."""


class Part(msgspec.Struct, frozen=True):
    """A server with all of its nodes, a gateway, or a foreign network: one StatefulSet."""

    node: XmpplabServer | GatewayNode | NetworkNode
    """The first one."""
    component: str
    """`server`, or the kind of the gateway or network."""
    command: tuple[str, ...]
    ports: tuple[int, ...]
    outer_ports: tuple[int, ...] = ()
    """Those that are used from outside the lab."""
    replicas: int = 1
    keeps_data: bool = False

    @property
    def name(self) -> str:
        return self.node.name


def parts(plan: Plan) -> list[Part]:
    """The parts of the lab: servers, networks, gateways."""
    servers = [_server(plan, node) for node in plan.ours if not node.node_of]
    return [*servers, *map(_lower, plan.lower_half)]


def hosts(plan: Plan) -> Hosts:
    """Services are named by the parts. Components connect to the first node of a server, streams of other servers to
    any."""
    serving = {domain: node.server for node in plan.servers if not node.node_of for domain in node.domains}
    return Hosts(_host, lambda domain: serving[domain])


def _host(node: ServerNode | GatewayNode | NetworkNode) -> str:
    return f"{node.server}-1.{node.server}" if isinstance(node, ServerNode) else node.name


def _server(plan: Plan, node: XmpplabServer) -> Part:
    """Its pods are numbered from 1: `s1-1` runs the node `s1`, and `s1-2` the node of this name."""
    command = ("sh", "-c", f'exec {" ".join(program(node))} "${{{POD}%-1}}"')
    count = len(plan.nodes_of(node.name))
    return Part(node, "server", command, node.ports, outer_ports(plan, node), count)


def _lower(node: GatewayNode | NetworkNode) -> Part:
    command = (*program(node), node.name)
    return Part(node, node.kind, command, node.ports, keeps_data=node.keeps_data)
