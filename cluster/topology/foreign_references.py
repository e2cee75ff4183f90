"""References of gateways, networks, components and services to other parts of the file, like references.py."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

from cluster import kinds
from cluster.kinds.base.finding import Finding, KeyPath, choice
from cluster.kinds.base.values import items, prepared_domain, sections

K = TypeVar("K")


def findings(data: Mapping[str, Any], domains: Mapping[str, str]) -> Iterator[Finding]:
    """Everything that refers to nothing or does not fit. `domains`: name of the server, by domain."""
    servers = {name: domain for domain, name in domains.items()}
    gateways, networks = sections(data, "gateways"), sections(data, "networks")
    seen: dict[str, str] = dict(domains)
    for name, gateway in gateways.items():
        path = ("gateways", name)
        yield from _server(path, gateway, gateway.get("domain"), servers, seen)
        yield from _network(path, gateway, networks)
        if kind := _kind(kinds.gateways(), gateway):
            yield from kind.findings(name, gateway, domains)
    for domain, component in sections(data, "components").items():
        yield from _server(("components", domain), component, domain, servers, seen)
    yield from _services(data, servers, seen)
    yield from _node_names(data)
    for name, network in networks.items():
        if found := _kind(kinds.networks(), network):
            own = {gateway: part for gateway, part in gateways.items() if part.get("network") == name}
            yield from found.findings(name, network, own, domains)
            if found.people_key in network and network.get("external"):
                text = f"the lab knows no {found.people_key} of an external system; delete one of the two keys"
                yield Finding(("networks", name, found.people_key), text, at_key=True)
        if name in domains:
            text = f"{domains[name]} serves the domain {name}; give the network another name"
            yield Finding(("networks", name), text, at_key=True)


def _kind(known: Mapping[str, K], section: Mapping[str, Any]) -> K | None:
    """The kind of a section; None for an unknown one, which the model reports."""
    kind = section.get("kind")
    return known.get(kind) if isinstance(kind, str) else None


def _server(
    path: tuple[str, str], part: Mapping[str, Any], domain: object, servers: Mapping[str, str], seen: dict[str, str]
) -> Iterator[Finding]:
    """The server exists, and the domain of the part is below that of the server, and is used only once."""
    server, domain = part.get("server"), prepared_domain(domain)
    if not isinstance(server, str) or not isinstance(domain, str) or not servers:
        return
    own_path = (*path, "domain") if path[0] == "gateways" else path
    at_key = path[0] != "gateways"
    if server not in servers:
        yield Finding((*path, "server"), f"no server {server!r}{choice(server, sorted(servers))}")
    elif wrong := _misplaced(domain, servers[server], servers, "sms"):
        yield Finding(own_path, wrong, at_key)
    if domain in seen:
        yield Finding(own_path, _taken(domain, seen), at_key)
    seen.setdefault(domain, path[1])


def _services(data: Mapping[str, Any], servers: Mapping[str, str], seen: dict[str, str]) -> Iterator[Finding]:
    """The domains of services are below those of their servers, and each is used only once."""
    for name, server in sections(data, "servers").items():
        for kind in kinds.services().values():
            section = server.get(kind.name)
            path: KeyPath = ("servers", name, kind.name)
            if isinstance(section, dict):
                path, section = (*path, "domain"), section.get("domain")
            domain = prepared_domain(section)
            if domain is None or name not in servers:
                continue
            if wrong := _misplaced(domain, servers[name], servers, kind.usual_label):
                yield Finding(path, wrong)
            elif domain in seen:
                yield Finding(path, _taken(domain, seen))
            seen.setdefault(domain, f"{kind.name} of {name}")


def _taken(domain: str, seen: Mapping[str, str]) -> str:
    return f"{seen[domain]} has the domain {domain} already; each needs its own"


def _misplaced(domain: str, own: str, servers: Mapping[str, str], label: str) -> str:
    """Why a domain is not directly below a server's domain `own`; empty if it is."""
    nearest = _nearest(domain, servers.values())
    if nearest == own:
        return ""
    where = (
        "is not below the server's domain" if nearest is None else f"is below {nearest}, which another server serves"
    )
    return f"{domain!r} {where}; write a name such as {label}.{own}"


def _nearest(domain: str, servers: Collection[str]) -> str | None:
    """The domain of a server that this one is below; of nested ones, the longest."""
    return max((each for each in servers if domain.endswith(f".{each}")), key=len, default=None)


def _network(path: tuple[str, str], gateway: Mapping[str, Any], networks: Mapping[str, Any]) -> Iterator[Finding]:
    name, kind = gateway.get("network"), _kind(kinds.gateways(), gateway)
    if not isinstance(name, str):
        return
    if name not in networks:
        yield Finding((*path, "network"), f"no network {name!r}{choice(name, sorted(networks))}")
    elif kind is not None and networks[name].get("kind") not in (kind.network_kind, None):
        what, needed = networks[name].get("kind"), kind.network_kind
        text = f"{name} is a {what}; a gateway of kind {gateway['kind']} needs a {needed}"
        yield Finding((*path, "network"), text)


def _node_names(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Servers, gateways, networks and their people are all nodes of the lab: no name stands for two."""
    seen: set[str] = set()
    for part in ("servers", "gateways", "networks"):
        for name, section in sections(data, part).items():
            paths: list[tuple[str, ...]] = [(part, name)]
            if kind := _kind(kinds.networks(), section):
                paths += [(part, name, kind.people_key, each) for each, _ in items(section, kind.people_key)]
            for path in paths:
                if path[-1] in seen:
                    yield Finding(path, f"two nodes of the lab are named {path[-1]!r}; rename one", at_key=True)
                seen.add(path[-1])
