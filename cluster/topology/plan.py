"""A Plan: the topology resolved, every default, address and peer filled in. Drivers and nodes read only this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cluster import kinds
from cluster.kinds.base.gateway import GatewayNode
from cluster.kinds.base.network import NetworkNode
from cluster.kinds.base.server import (
    COMPONENT_PORT,
    AccountSeed,
    ComponentSeed,
    ContactSeed,
    S2sPeer,
    ServerNode,
    ServiceSeed,
)
from cluster.kinds.xmpplab import XmpplabServer
from cluster.trace.hop import MAX_JOURNAL_BYTES

__all__ = [
    "COMPONENT_PORT",
    "AccountSeed",
    "ComponentSeed",
    "ContactSeed",
    "GatewayNode",
    "LabNode",
    "LinkSeed",
    "NetworkNode",
    "Plan",
    "S2sPeer",
    "ServerNode",
    "ServiceSeed",
    "XmpplabServer",
]

if TYPE_CHECKING:
    AnyServer = ServerNode
    AnyGateway = GatewayNode
    AnyNetwork = NetworkNode
else:
    AnyServer = reduce(or_, kinds.servers().values())
    AnyGateway = reduce(or_, kinds.gateways().values())
    AnyNetwork = reduce(or_, kinds.networks().values())

LabNode = XmpplabServer | GatewayNode | NetworkNode
"""A node that runs our own code, and answers commands."""


class LinkSeed(msgspec.Struct, frozen=True):
    """The faults that a link has from the start."""

    from_: str
    """Domain."""
    to: str
    """Domain."""
    faults: dict[str, Any]
    """By their keys; see cluster/router/settings.py. Times are counted from when the lab comes up."""


class Plan(msgspec.Struct, frozen=True, dict=True):
    """A whole lab, as it will run."""

    name: str
    topology: str
    """Path of the file that it was made from."""
    state_dir: str
    """Folder of the running lab: `.xmpplab/<name>`, absolute."""
    servers: tuple[AnyServer, ...]
    gateways: tuple[AnyGateway, ...] = ()
    networks: tuple[AnyNetwork, ...] = ()
    name_server: tuple[str, int] | None = None
    """Address of the lab's own DNS; None if this machine has no address for it."""
    sample_every: int = 1000
    """One stanza in this number is followed without a request; 0: none."""
    probes_per_minute: int = 600
    journal_bytes: int = MAX_JOURNAL_BYTES
    redis_url: str = ""
    """An existing Redis or Valkey; empty: the lab starts its own."""
    max_backlog: int = 100_000
    """Batches that may wait on one link before its senders get remote-server-timeout."""

    links: tuple[LinkSeed, ...] = ()
    """Those with faults."""
    fault_seed: int = 0
    population: dict[str, Any] = {}
    """What the topology says of the people of a simulation, by the keys of `topology.population`."""
    processes: int = 0
    """How many processes the servers of our own kind share, apart from isolated ones; 0: each has its own."""

    @cached_property
    def served_by(self) -> dict[str, str]:
        """Domain of the server, by domain of each component and service."""
        return {domain: server.domain for server in self.servers for domain in server.subdomains}

    @property
    def listeners(self) -> list[tuple[str, int]]:
        """Every address that the lab takes on this machine."""
        nodes: list[ServerNode | GatewayNode | NetworkNode] = [*self.servers, *self.gateways, *self.networks]
        return [address for node in nodes for address in node.listeners]

    @property
    def shown(self) -> dict[str, Any]:
        """As `xmpplab config` prints it. Each server, gateway and network has the keys of all kinds, so that
        readers need not distinguish kinds."""
        made: dict[str, Any] = msgspec.to_builtins(self)
        places = (("servers", kinds.servers()), ("gateways", kinds.gateways()), ("networks", kinds.networks()))
        for place, known in places:
            usual = {key: value for kind in known.values() for key, value in _usual(kind)}
            made[place] = [{"name": node["name"], **usual, **node} for node in made[place]]
        return made

    def encoded(self) -> bytes:
        """As a file, for the nodes and commands to come."""
        return msgspec.json.format(msgspec.json.encode(self))

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read what `encoded` made. Raises FileNotFoundError where no lab was brought up."""
        return msgspec.json.decode(path.read_bytes(), type=cls)

    @cached_property
    def ours(self) -> Sequence[XmpplabServer]:
        """The servers of our own kind: they have a user in the lab's Redis, and answer commands."""
        return tuple(server for server in self.servers if isinstance(server, XmpplabServer))

    @property
    def started(self) -> list[AnyServer]:
        """The servers that the lab runs."""
        return [server for server in self.servers if server.is_started]

    @property
    def lower_half(self) -> list[GatewayNode | NetworkNode]:
        """The gateways and foreign networks that the lab runs."""
        ours: list[GatewayNode | NetworkNode] = [network for network in self.networks if not network.is_external]
        ours.extend(self.gateways)
        return ours

    def process_of(self, name: str) -> tuple[str, ...]:
        """The nodes of the process in which this node runs, the one that it is named after first."""
        host = next((server.shares for server in self.ours if server.name == name), "") or name
        return (host, *(server.name for server in self.ours if server.shares == host))

    def nodes_of(self, server: str) -> list[AnyServer]:
        """The nodes of the server of this name, the first one first."""
        return [node for node in self.servers if node.server == server]

    def server_named(self, name: str) -> AnyServer:
        """The server of this name, which is known to exist."""
        return next(server for server in self.servers if server.name == name)

    def network(self, name: str) -> NetworkNode:
        """The network of this name."""
        return next(network for network in self.networks if network.name == name)

    def server(self, name_or_domain: str) -> AnyServer | None:
        """The server of this name (`s1`) or domain."""
        return next((s for s in self.servers if name_or_domain in (s.name, s.domain)), None)


def _usual(kind: type[msgspec.Struct]) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(kind):
        if not field.required:
            value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
            yield field.name, msgspec.to_builtins(value)
