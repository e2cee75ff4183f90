"""What gateways, networks and components of the file say about other parts of it; see references.py."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cluster.topology import network_references
from cluster.topology.problem import Finding, choice
from cluster.topology.section import prepared_account, prepared_domain, sections

_NETWORK_KIND = {"sms": "smsc", "mail": "mailhost"}
_ONLY_FOR_GATEWAY = {"number": "sms", "mail_for": "mail", "aliases": "mail"}
_ONLY_FOR = {"phones": "smsc", "mailboxes": "mailhost"}


def findings(data: Mapping[str, Any], domains: Mapping[str, str]) -> Iterator[Finding]:
    """Everything that refers to nothing or does not fit. `domains`: name of the server, by domain."""
    servers = {name: domain for domain, name in domains.items()}
    networks = sections(data, "networks")
    seen: dict[str, str] = dict(domains)
    for name, gateway in sections(data, "gateways").items():
        path = ("gateways", name)
        yield from _server(path, gateway, gateway.get("domain"), servers, seen)
        yield from _network(path, gateway, networks)
        for key, kind in _ONLY_FOR_GATEWAY.items():
            if key in gateway and gateway.get("kind") not in (kind, None):
                yield Finding((*path, key), f"only a gateway of kind {kind} has {key}; delete this key", at_key=True)
        yield from _mail(path, gateway, domains)
    for domain, component in sections(data, "components").items():
        yield from _server(("components", domain), component, domain, servers, seen)
    yield from _node_names(data)
    for name, network in networks.items():
        for key, kind in _ONLY_FOR.items():
            if key in network and network.get("kind") not in (kind, None):
                yield Finding(
                    ("networks", name, key), f"only a network of kind {kind} has {key}; delete it", at_key=True
                )
            if key in network and network.get("external"):
                text = f"the lab knows no {key} of an external system; delete one of the two keys"
                yield Finding(("networks", name, key), text, at_key=True)
    yield from network_references.findings(data, domains)


def _server(
    path: tuple[str, str], part: Mapping[str, Any], domain: object, servers: Mapping[str, str], seen: dict[str, str]
) -> Iterator[Finding]:
    """The server exists, and the part's own domain is below that server's, and nobody else's."""
    server, domain = part.get("server"), prepared_domain(domain)
    if not isinstance(server, str) or not isinstance(domain, str) or not servers:
        return
    own_path = (*path, "domain") if path[0] == "gateways" else path
    at_key = path[0] != "gateways"
    if server not in servers:
        yield Finding((*path, "server"), f"no server {server!r}{choice(server, sorted(servers))}")
    elif (nearest := _nearest(domain, servers.values())) not in (None, servers[server]):
        text = f"{domain!r} is below {nearest}, which another server serves; write a name such as sms.{servers[server]}"
        yield Finding(own_path, text, at_key)
    elif nearest is None:
        text = f"{domain!r} is not below the server's domain; write a name such as sms.{servers[server]}"
        yield Finding(own_path, text, at_key)
    if domain in seen:
        yield Finding(own_path, f"{seen[domain]} has the domain {domain} already; each needs its own", at_key)
    seen.setdefault(domain, path[1])


def _nearest(domain: str, servers: Collection[str]) -> str | None:
    """The domain of a server that this one is below; of nested ones, the longest."""
    return max((each for each in servers if domain.endswith(f".{each}")), key=len, default=None)


def _network(path: tuple[str, str], gateway: Mapping[str, Any], networks: Mapping[str, Any]) -> Iterator[Finding]:
    name, kind = gateway.get("network"), gateway.get("kind")
    if not isinstance(name, str):
        return
    if name not in networks:
        yield Finding((*path, "network"), f"no network {name!r}{choice(name, sorted(networks))}")
    elif isinstance(kind, str) and networks[name].get("kind") not in (_NETWORK_KIND.get(kind), None):
        text = f"{name} is a {networks[name].get('kind')}; a gateway of kind {kind} needs a {_NETWORK_KIND.get(kind)}"
        yield Finding((*path, "network"), text)


def _mail(path: tuple[str, str], gateway: Mapping[str, Any], domains: Mapping[str, str]) -> Iterator[Finding]:
    """Mail is for accounts of the lab, and each address is somebody's in one way."""
    taken = [domain for domain, server in domains.items() if server == gateway.get("server")]
    mail_for, aliases = gateway.get("mail_for"), gateway.get("aliases")
    for index, written in enumerate(mail_for if isinstance(mail_for, list) else ()):
        domain = prepared_domain(written)
        if domain is None:
            continue
        if domain in taken:
            yield Finding((*path, "mail_for", index), f"mail for {domain} already comes here; delete it")
        elif domain not in domains:
            text = f"no server has the domain {domain!r}{choice(domain, sorted(domains))}"
            yield Finding((*path, "mail_for", index), text)
        taken.append(domain)
    seen: dict[str, str] = {}
    for address, account in aliases.items() if isinstance(aliases, dict) else ():
        domain = prepared_domain(str(account).rpartition("@")[2])
        if domain is not None and domain not in domains:
            text = f"no server has the domain {domain!r}{choice(domain, sorted(domains))}"
            yield Finding((*path, "aliases", address), text)
        known = prepared_account(address)
        if known in seen:
            text = f"this is the same address as {seen[known]}; keep one of the two"
            yield Finding((*path, "aliases", address), text, at_key=True)
        seen.setdefault(known, address)


def _node_names(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Servers, gateways, networks, phones and mailboxes are all nodes of the lab: no name stands for two."""
    seen: set[str] = set()
    for part in ("servers", "gateways", "networks"):
        for name, section in sections(data, part).items():
            paths: list[tuple[str, ...]] = [(part, name)]
            for key in _ONLY_FOR:
                inner = section.get(key)
                paths += [(part, name, key, each) for each in inner] if isinstance(inner, dict) else []
            for path in paths:
                if path[-1] in seen:
                    yield Finding(path, f"two nodes of the lab are named {path[-1]!r}; rename one", at_key=True)
                seen.add(path[-1])
