"""From a valid Topology to a Plan: defaults inherited, contacts made mutual, addresses given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from cluster import kinds
from cluster.store.limits import DEFAULTS, Limit, Limits
from cluster.topology import addresses, links
from cluster.topology.foreign import Gateway, Network, written
from cluster.topology.hosting import hosted
from cluster.topology.model import Server, ServerSettings, Topology
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
from cluster.xmpp.jid import Jid

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
) -> Plan:
    """The lab as it will run. Pure: the same arguments give the same Plan.

    `path` is the file it came from, `state_dir` the lab's absolute folder, which the addresses depend on; `modules`
    those to load where the file names none. With another `attempt` the addresses are others: try the next one when
    a port is taken. `single_host`: the system has only 127.0.0.1 (macOS). Raises ValueError for a relative state_dir.
    """
    if not state_dir.is_absolute():
        raise ValueError(f"state_dir must be absolute, or two labs could get the same addresses: {state_dir}")
    settings = [settings_of(server, topology.defaults) for server in topology.servers.values()]
    ports = [setting.c2s_port for setting in settings]
    ports += [kinds.gateways()[gateway.kind].usual_port or _NO_PORT for gateway in topology.gateways.values()]
    ports += [kinds.networks()[network.kind].usual_port for network in topology.networks.values()]
    taken = addresses.one_host(ports, attempt) if single_host else addresses.own_hosts(str(state_dir), ports, attempt)
    at_servers, at_lower = taken[: len(settings)], iter(taken[len(settings) :])
    seeds = _accounts(topology)
    servers = tuple(
        ServerNode(
            name=name,
            domain=server.domain,
            host=host,
            c2s_port=port,
            tls=setting.tls,
            registration=setting.registration == "open",
            registrations_per_minute=setting.registrations_per_minute,
            limits=_limits(setting),
            strict=setting.strict,
            anonymous=setting.anonymous,
            admin=setting.admin or "",
            direct_tls_port=port + 1 if single_host else setting.direct_tls_port,
            http_port=port + 3 if single_host else setting.http_port,
            modules=tuple(modules if setting.modules is None else setting.modules),
            accounts=tuple(seed for jid, seed in seeds.items() if jid.domainpart == server.domain),
            components=_components(topology, name),
            services=hosted(server),
            component_port=port + 2 if single_host else COMPONENT_PORT,
            s2s_port=port + 4 if single_host else setting.s2s_port,
            peers=_peers(topology, name),
        )
        for (name, server), setting, (host, port) in zip(topology.servers.items(), settings, at_servers, strict=True)
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
        sample_every=topology.trace.sample_every,
        probes_per_minute=topology.trace.probes_per_minute,
        journal_bytes=topology.trace.journal_bytes,
        redis_url=redis_url,
        max_backlog=topology.router.max_backlog,
        links=_links(topology),
        fault_seed=topology.router.seed,
    )
    for name, server in topology.servers.items():
        plan = with_nodes(plan, name, server.nodes)
    return plan


def settings_of(server: Server, defaults: ServerSettings) -> ServerSettings:
    """What holds for a server: its own keys, else those of `defaults`, else the model's. The one place that says so."""
    own = server.model_fields_set & ServerSettings.model_fields.keys()
    return defaults.model_copy(update={key: getattr(server, key) for key in own})


def _limits(setting: ServerSettings) -> Limits:
    return Limits(
        offline=Limit(setting.offline_messages, setting.offline_bytes),
        offline_total_bytes=setting.offline_total_bytes,
        roster=Limit(DEFAULTS.roster.count, setting.roster_bytes),
        archive=Limit(DEFAULTS.archive.count, setting.archive_bytes),
        private=Limit(DEFAULTS.private.count, setting.private_bytes),
        pubsub=Limit(DEFAULTS.pubsub.count, setting.pubsub_bytes),
    )


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
    """The domains of the servers that a link with `transport: s2s` joins it with, and those of their components."""
    pairs = links.s2s_pairs(topology.links)
    return tuple(
        S2sPeer(domain, other.host, other.s2s_port)
        for other in servers
        if {node.name, other.name} in pairs
        for domain in (other.domain, *(component.domain for component in other.components))
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
