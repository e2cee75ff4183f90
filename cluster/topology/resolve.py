"""From a valid Topology to a Plan: defaults inherited, contacts made mutual, addresses given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from cluster.topology.scale import with_nodes
from cluster.topology.servers import settings_of
from cluster.xmpp.jid import Jid

DNS_PORT = 5353
"""In place of 53, which needs root on most machines."""
_NO_PORT = 2775
"""Where a gateway would listen that does not: it has an address all the same, so that those of the others stay."""


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
) -> Plan:
    """The lab as it will run. Pure: the same arguments give the same Plan.

    `path` is the file it came from, `state_dir` the lab's absolute folder, which the addresses depend on; `modules`
    those to load where the file names none. With another `attempt` the addresses are others: try the next one when
    a port is taken. `single_host`: the system has only 127.0.0.1 (macOS), and the lab no DNS; else that has `dns_port`.
    Raises ValueError for a relative state_dir.
    """
    if not state_dir.is_absolute():
        raise ValueError(f"state_dir must be absolute, or two labs could get the same addresses: {state_dir}")
    settings = [settings_of(server, topology.defaults) for server in topology.servers.values()]
    ports = [setting["c2s_port"] for setting in settings]
    ports += [kinds.gateways()[gateway.kind].usual_port or _NO_PORT for gateway in topology.gateways.values()]
    ports += [kinds.networks()[network.kind].usual_port for network in topology.networks.values()]
    taken = addresses.one_host(ports, attempt) if single_host else addresses.own_hosts(str(state_dir), ports, attempt)
    at_servers, at_lower = taken[: len(settings)], iter(taken[len(settings) :])
    seeds = _accounts(topology)
    servers = tuple(
        _server(
            name,
            topology,
            seeds,
            host,
            _on_one_host(setting, port) if single_host else setting,
            modules,
            component_port=port + 2 if single_host else COMPONENT_PORT,
        )
        for name, setting, (host, port) in zip(topology.servers, settings, at_servers, strict=True)
    )
    gateways = tuple(_gateway(name, gateway, topology, next(at_lower)) for name, gateway in topology.gateways.items())
    networks = tuple(_network(name, network, next(at_lower)) for name, network in topology.networks.items())
    servers = tuple(msgspec.structs.replace(node, s2s_peers=_s2s_peers(topology, node, servers)) for node in servers)
    plan = Plan(
        name=topology.name,
        topology=str(path),
        state_dir=str(state_dir),
        servers=servers,
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
    )
    for name, server in topology.servers.items():
        plan = with_nodes(plan, name, getattr(server, "nodes", 1))
    return plan


def _server(
    name: str, topology: Topology, seeds: Mapping[Jid, AccountSeed], host: str, setting: dict[str, Any],
    modules: Sequence[str], *, component_port: int,
) -> ServerNode:  # fmt: skip
    server = topology.servers[name]
    if "modules" in setting:
        setting = {**setting, "modules": tuple(modules if setting["modules"] is None else setting["modules"])}
    kind = kinds.servers()[server.kind]
    host = getattr(server, "host", None) or host
    return kind(
        name=name, domain=server.domain, host=host, peers=_peers(topology, name),
        accounts=tuple(seed for jid, seed in seeds.items() if jid.domainpart == server.domain),
        components=_components(topology, name), services=hosted(server),
        component_port=component_port, **kind.fields(setting),
    )  # fmt: skip


def _on_one_host(setting: dict[str, Any], port: int) -> dict[str, Any]:
    """The other ports of a server follow that of its clients."""
    ports = {"c2s_port": port, "direct_tls_port": port + 1, "http_port": port + 3, "s2s_port": port + 4}
    return setting | {key: port for key, port in ports.items() if key in setting}


def _components(topology: Topology, server: str) -> tuple[ComponentSeed, ...]:
    """Whom a server lets in: its gateways, and programs of the user's own."""
    gateways = [(each.domain, each.server, each.secret) for each in topology.gateways.values()]
    programs = [(domain, each.server, each.secret) for domain, each in topology.components.items()]
    return tuple(ComponentSeed(domain, secret) for domain, name, secret in gateways + programs if name == server)


def _peers(topology: Topology, server: str) -> tuple[str, ...] | None:
    """Whom the entries of `links` join a server with; None where every two servers are joined."""
    if topology.mesh:
        return None
    ends = [pair for link in topology.links for pair in links.directions(link) if server in pair]
    return tuple(dict.fromkeys(topology.servers[end].domain for pair in ends for end in pair if end != server))


def _s2s_peers(topology: Topology, node: ServerNode, servers: Sequence[ServerNode]) -> tuple[S2sPeer, ...]:
    """The domains of the servers that it speaks with over XML streams, and those of their components.

    These are those that a link with `transport: s2s` joins it with; and of the others, those of another kind than ours.
    """
    pairs = links.s2s_pairs(topology.links)
    return tuple(
        S2sPeer(domain, other.host, other.s2s_port)
        for other in servers
        if {node.name, other.name} in pairs
        or (other is not node and node.is_joined_to(other.domain) and {node.kind, other.kind} != {USUAL})
        for domain in other.domains
    )


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


def _accounts(topology: Topology) -> dict[Jid, AccountSeed]:
    """The accounts with their rosters: who has a contact is one of that contact's, too."""
    rosters: dict[str, dict[str, ContactSeed]] = {
        owner: {each.jid: ContactSeed(each.jid, each.name, tuple(each.groups)) for each in account.contacts}
        for owner, account in topology.accounts.items()
    }
    for owner, account in topology.accounts.items():
        for contact in account.contacts:
            rosters[contact.jid].setdefault(owner, ContactSeed(owner))
    seeds = {}
    for owner, account in topology.accounts.items():
        jid = Jid.parse(owner)
        seeds[jid] = AccountSeed(jid.localpart, account.password, tuple(rosters[owner].values()))
    return seeds
