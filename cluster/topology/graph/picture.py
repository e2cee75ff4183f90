"""What is in a picture of a lab, whichever way it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.router.settings import texts
from cluster.topology.plan import GatewayNode, NetworkNode, Plan, ServerNode, ServiceSeed, XmpplabServer

MOST = 6
"""Accounts, phones or mailboxes drawn in one place; the others are counted."""

_WAY = " → "


@dataclass(frozen=True)
class Site:
    """A server with all that connects to it."""

    nodes: tuple[ServerNode, ...]
    """Its first one first."""
    accounts: tuple[str, ...]
    components: tuple[str, ...]
    """Domains of the programs of the user's own."""
    services: tuple[ServiceSeed, ...]
    """The services that run in it."""
    gateways: tuple[GatewayNode, ...]

    @property
    def name(self) -> str:
        return self.nodes[0].name


@dataclass(frozen=True)
class Network:
    """A foreign network with its phones or mailboxes."""

    node: NetworkNode
    ends: tuple[str, ...]
    """`fc1  +393331234567`"""

    @property
    def what(self) -> str:
        """`smsc`, or `real smsc` where the lab does not run it."""
        return f"real {self.node.kind}" if self.node.is_external else self.node.kind

    @property
    def at(self) -> str:
        return f"{self.node.host}:{self.node.port}"


@dataclass(frozen=True)
class Link:
    """What joins two servers, by their names."""

    one: str
    other: str
    faults: str
    """Of both directions, for people; empty where there are none."""
    transport: str
    """`s2s` or `bidi`; empty for the router."""

    @property
    def what(self) -> str:
        """The transport and the faults."""
        return ", ".join(filter(None, (self.transport, self.faults)))

    @property
    def label(self) -> str:
        """The same, with the servers that it is about."""
        return self.what if _WAY in self.what else f"{self.one} ↔ {self.other}: {self.what}"


@dataclass(frozen=True)
class Picture:
    """A lab."""

    name: str
    sites: tuple[Site, ...]
    networks: tuple[Network, ...]
    links: tuple[Link, ...]
    """In a full mesh only those with faults, or with streams in place of the router."""
    is_mesh: bool
    """Every two servers are joined."""

    @property
    def has_router(self) -> bool:
        """There is something to carry from one server or node to another, all over one trunk."""
        pairs = len(self.sites) * (len(self.sites) - 1) // 2
        has_nodes = any(len(site.nodes) > 1 for site in self.sites)
        return self.is_mesh and (has_nodes or sum(bool(link.transport) for link in self.links) < pairs)


def place(node: ServerNode) -> str:
    """Where clients connect, and the kind of a server that is not ours."""
    return node.c2s if isinstance(node, XmpplabServer) else f"{node.c2s} ({node.kind})"


def picture_of(plan: Plan) -> Picture:
    """All that the plan has."""
    firsts = [server for server in plan.servers if not server.node_of]
    is_mesh = all(server.peers is None for server in firsts)
    sites = tuple(_site(plan, server) for server in firsts)
    networks = tuple(Network(node, _cut(_ends(node))) for node in plan.networks)
    return Picture(plan.name, sites, networks, tuple(_links(plan, firsts, is_mesh)), is_mesh)


def _site(plan: Plan, first: ServerNode) -> Site:
    gateways = tuple(gateway for gateway in plan.gateways if gateway.server == first.name)
    taken = {gateway.domain for gateway in gateways}
    return Site(
        tuple(plan.nodes_of(first.name)),
        _cut([account.localpart for account in first.accounts]),
        tuple(component.domain for component in first.components if component.domain not in taken),
        first.services,
        gateways,
    )


def _ends(network: NetworkNode) -> list[str]:
    return [f"{name}  {address}" for name, address in network.people.items()]


def _cut(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(names) if len(names) <= MOST else (*names[: MOST - 1], f"{len(names) - MOST + 1} more")


def _links(plan: Plan, firsts: Sequence[ServerNode], is_mesh: bool) -> list[Link]:
    """Each pair of servers once, in the order of the file."""
    faults = {(link.from_, link.to): _faults(link.faults) for link in plan.links}
    found = []
    for index, one in enumerate(firsts):
        for other in firsts[index + 1 :]:
            forth, back = faults.get((one.domain, other.domain), ""), faults.get((other.domain, one.domain), "")
            if forth == back:
                label = forth
            else:
                ways = ((f"{one.name}{_WAY}{other.name}", forth), (f"{other.name}{_WAY}{one.name}", back))
                label = "; ".join(f"{way}: {what}" for way, what in ways if what)
            transport = _transport(one, other)
            if label or transport or (not is_mesh and one.is_joined_to(other.domain)):
                found.append(Link(one.name, other.name, label, transport))
    return found


def _transport(one: ServerNode, other: ServerNode) -> str:
    """Servers of other kinds know streams only."""
    if not one.is_joined_to(other.domain):
        return ""
    if other.domain in one.bidirectional or one.domain in other.bidirectional:
        return "bidi"
    ours = [each for each in (one, other) if isinstance(each, XmpplabServer)]
    is_router = len(ours) == 2 and other.domain not in [peer.domain for peer in one.s2s_peers]
    return "" if is_router else "s2s"


def _faults(values: dict[str, object]) -> str:
    return ", ".join(f"{key} {text}" for key, text in texts(values, 0.0).items())
