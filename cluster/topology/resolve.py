"""From a valid Topology to a Plan: defaults inherited, contacts made mutual, addresses given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import msgspec

from cluster import kinds
from cluster.kinds.xmpplab import USUAL
from cluster.topology import addresses, links
from cluster.topology.foreign import Gateway, Network
from cluster.topology.hosting import hosted
from cluster.topology.keys import written
from cluster.topology.model import Topology
from cluster.topology.plan import (
    COMPONENT_PORT,
    AccountSeed,
    ComponentSeed,
    ContactSeed,
    GatewayNode,
    LinkSeed,
    NetworkNode,
    Plan,
    S2sPeer,
    ServerNode,
)
from cluster.topology.population import said
from cluster.topology.scale import with_nodes
from cluster.topology.servers import settings_of
from cluster.topology.sharing import shared
from cluster.xmpp.jid import Jid

DNS_PORT = 5353
"""In place of 53, which needs root on most machines."""
_NO_PORT = 2775
"""The port of a gateway that does not listen: it has an address so that those of other nodes do not depend on it."""


def resolve(
    topology: Topology,
    path: Path,
    state_dir: Path,
    *,
    modules: Sequence[str],
    redis_url: str = "",
    attempt: int = 0,
    single_host: bool = False,
    dns_port: int = DNS_PORT,
    processes: int = 0,
) -> Plan:
    """The lab as it will run. Pure: the same arguments give the same Plan.

    `path`: the file; `state_dir`: the absolute folder of the lab, on which the addresses depend; `modules`: those to
    load if the file names none; `attempt`: each gives other addresses, for when a port is taken. `single_host`: the
    system has only 127.0.0.1 (macOS), and the lab has no DNS; otherwise DNS is at `dns_port`. `processes`: see
    `sharing.shared`. Raises ValueError for a relative state_dir.
    """
    if not state_dir.is_absolute():
        raise ValueError(f"state_dir must be absolute, or two labs could get the same addresses: {state_dir}")
    settings = [settings_of(server, topology.defaults) for server in topology.servers.values()]
    ports = [*(setting["c2s_port"] for setting in settings), *_lower_ports(topology)]
    taken = addresses.one_host(ports, attempt) if single_host else addresses.own_hosts(str(state_dir), ports, attempt)
    at_servers, at_lower = taken[: len(settings)], iter(taken[len(settings) :])
    seeds, neighbours = _accounts(topology), _neighbours(topology)
    servers = [
        _server(
            name, topology, seeds, host, _on_one_host(setting, port) if single_host else setting, modules,
            neighbours, component_port=port + 2 if single_host else COMPONENT_PORT,
        )
        for name, setting, (host, port) in zip(topology.servers, settings, at_servers, strict=True)
    ]  # fmt: skip
    gateways = tuple(_gateway(name, gateway, topology, next(at_lower)) for name, gateway in topology.gateways.items())
    networks = tuple(_network(name, network, next(at_lower)) for name, network in topology.networks.items())
    plan = Plan(
        name=topology.name,
        topology=str(path),
        state_dir=str(state_dir),
        servers=_with_streams(servers, topology),
        gateways=gateways,
        networks=networks,
        name_server=None if single_host else addresses.name_server(taken[0][0], dns_port),
        sample_every=topology.trace.sample_every,
        probes_per_minute=topology.trace.probes_per_minute,
        journal_bytes=topology.trace.journal_bytes,
        redis_url=redis_url,
        max_backlog=topology.router.max_backlog,
        links=_links(topology),
        fault_seed=topology.router.seed,
        population=said(topology.population),
    )
    for name, server in topology.servers.items():
        if (count := getattr(server, "nodes", 1)) > 1:
            plan = with_nodes(plan, name, count)
    return shared(plan, processes)


def _lower_ports(topology: Topology) -> list[int]:
    """The usual ports of the lower half of the figure: gateways, then networks."""
    gateways = [kinds.gateways()[gateway.kind].usual_port or _NO_PORT for gateway in topology.gateways.values()]
    return gateways + [kinds.networks()[network.kind].usual_port for network in topology.networks.values()]


def _server(
    name: str, topology: Topology, seeds: Mapping[str, Sequence[AccountSeed]], host: str, setting: dict[str, Any],
    modules: Sequence[str], neighbours: Mapping[str, Sequence[str]], *, component_port: int,
) -> ServerNode:  # fmt: skip
    server = topology.servers[name]
    if "modules" in setting:
        setting = {**setting, "modules": tuple(modules if setting["modules"] is None else setting["modules"])}
    kind = kinds.servers()[server.kind]
    host = getattr(server, "host", None) or host
    alone: dict[str, Any] = {"isolate": True} if getattr(server, "isolate", False) else {}
    return kind(
        name=name, domain=server.domain, host=host, peers=_peers(topology, name, neighbours),
        accounts=tuple(seeds.get(server.domain, ())),
        components=_components(topology, name), services=hosted(server),
        component_port=component_port, **alone, **kind.fields(setting),
    )  # fmt: skip


def _on_one_host(setting: dict[str, Any], port: int) -> dict[str, Any]:
    """The other ports of a server follow that of its clients."""
    ports = {"c2s_port": port, "direct_tls_port": port + 1, "http_port": port + 3, "s2s_port": port + 4}
    if setting["s2s_direct_tls_port"] is not None:
        ports["s2s_direct_tls_port"] = port + 5
    return setting | {key: port for key, port in ports.items() if key in setting}


def _components(topology: Topology, server: str) -> tuple[ComponentSeed, ...]:
    """The components of a server: its gateways, and the user's own programs."""
    gateways = [(each.domain, each.server, each.secret) for each in topology.gateways.values()]
    programs = [(domain, each.server, each.secret) for domain, each in topology.components.items()]
    return tuple(ComponentSeed(domain, secret) for domain, name, secret in gateways + programs if name == server)


def _peers(topology: Topology, server: str, neighbours: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
    """The domains that entries of `links` join with a server; None if every two servers are joined."""
    if topology.mesh:
        return None
    return tuple(dict.fromkeys(topology.servers[other].domain for other in neighbours.get(server, ())))


def _neighbours(topology: Topology) -> dict[str, list[str]]:
    """The servers that entries of `links` join with each server."""
    found: dict[str, list[str]] = {}
    for link in topology.links:
        for one, other in links.directions(link):
            found.setdefault(one, []).append(other)
            found.setdefault(other, []).append(one)
    return found


def _with_streams(servers: Sequence[ServerNode], topology: Topology) -> tuple[ServerNode, ...]:
    """The servers, each with the domains to which it opens XML streams."""
    pairs = links.pairs_over(("s2s", "bidi"), topology.links)
    both_ways = links.pairs_over(("bidi",), topology.links)
    return tuple(
        msgspec.structs.replace(
            node, s2s_peers=_s2s_peers(pairs, node, servers),
            bidirectional=_both_ways(both_ways, node, servers),
            asks_outside=topology.resolver == "system" and node.kind == USUAL,
        )
        for node in servers
    )  # fmt: skip


def _s2s_peers(pairs: Set[frozenset[str]], node: ServerNode, servers: Sequence[ServerNode]) -> tuple[S2sPeer, ...]:
    """The domains of the servers that it speaks with over XML streams, with their components and services.

    `pairs`: the servers that a link with `transport: s2s` or `bidi` joins. All links of a server of another kind use
    streams.
    """
    if not pairs and all(other.kind == USUAL for other in servers):
        return ()  # as in most labs; with a thousand servers, a look at every two of them takes seconds
    return tuple(
        address
        for other in servers
        if {node.name, other.name} in pairs
        or (other is not node and node.is_joined_to(other.domain) and {node.kind, other.kind} != {USUAL})
        for domain in other.domains
        for address in other.at(domain)
    )


def _both_ways(pairs: Set[frozenset[str]], node: ServerNode, servers: Sequence[ServerNode]) -> tuple[str, ...]:
    """The domains of the servers that a link with `transport: bidi` joins it with."""
    if not pairs:
        return ()
    return tuple(domain for other in servers if {node.name, other.name} in pairs for domain in other.domains)


def _links(topology: Topology) -> tuple[LinkSeed, ...]:
    """The faults of each direction; entries about the same one add up."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for link in topology.links:
        for direction in links.directions(link):
            found.setdefault(direction, {}).update(links.faults_of(link))
    domains = {name: server.domain for name, server in topology.servers.items()}
    return tuple(LinkSeed(domains[from_], domains[to], faults) for (from_, to), faults in found.items() if faults)


def _gateway(name: str, gateway: Gateway, topology: Topology, at: addresses.Address) -> GatewayNode:
    kind = kinds.gateways()[gateway.kind]
    fields = kind.fields(written(gateway, kind.keys), topology.servers[gateway.server].domain)
    host, port = at
    return kind(
        name=name,
        domain=gateway.domain,
        server=gateway.server,
        secret=gateway.secret,
        network=gateway.network,
        host=host,
        port=port if kind.usual_port else 0,
        **fields,
    )


def _network(name: str, network: Network, at: addresses.Address) -> NetworkNode:
    kind, real = kinds.networks()[network.kind], network.external
    fields = written(network, kind.keys)
    if real is None:
        host, port = at
        return kind(name=name, host=host, port=port, **fields)
    return kind(
        name=name, host=real.host, port=real.port,
        is_external=True, user=real.user, password=real.password, starttls=real.starttls, **fields,
    )  # fmt: skip


def _accounts(topology: Topology) -> dict[str, list[AccountSeed]]:
    """The accounts with their rosters, by domain: contacts are mutual."""
    rosters: dict[str, dict[str, ContactSeed]] = {
        owner: {each.jid: ContactSeed(each.jid, each.name, tuple(each.groups)) for each in account.contacts}
        for owner, account in topology.accounts.items()
    }
    for owner, account in topology.accounts.items():
        for contact in account.contacts:
            rosters[contact.jid].setdefault(owner, ContactSeed(owner))
    seeds: dict[str, list[AccountSeed]] = {}
    for owner, account in topology.accounts.items():
        jid = Jid.parse(owner)
        seed = AccountSeed(jid.localpart, account.password, tuple(rosters[owner].values()))
        seeds.setdefault(jid.domainpart, []).append(seed)
    return seeds
