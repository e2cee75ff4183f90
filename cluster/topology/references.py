"""What one part of the file says about another: domains, accounts, contacts and modules must exist, and only once.

Works on the raw data and passes over whatever has not the right form, since the model reports that: so both kinds
of problems are found in one pass.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import combinations
from typing import Any

from cluster.kinds.base.finding import Finding, KeyPath, choice
from cluster.kinds.base.values import RESERVED_NAMES, prepared_domain, sections
from cluster.kinds.xmpplab import MAX_NODES
from cluster.topology import foreign_references, links
from cluster.topology.plan import COMPONENT_PORT
from cluster.topology.scale import MAX_TOPOLOGY_NODES, node_name
from cluster.xmpp.jid import Jid, JidError


def findings(data: object, modules: Collection[str]) -> Iterator[Finding]:
    """Everything that refers to nothing, or says twice what may be said once. `modules`: those that there are."""
    servers = _mapping(_mapping(data).get("servers"))
    accounts = _mapping(_mapping(data).get("accounts"))
    domains: dict[str, str] = {}
    for name, server in servers.items():
        yield from _domain(name, _mapping(server).get("domain"), domains)
    for path, section in _with_modules(data, servers):
        yield from _modules((*path, "modules"), _list(_mapping(section).get("modules")), modules)
    yield from _accounts(accounts, domains)
    known = {jid for key in accounts if (jid := _jid(key))}
    for path, section in _with_modules(data, servers):
        yield from _admin((*path, "admin"), _jid(_mapping(section).get("admin")), known)
    yield from _nodes(data, servers)
    for name, server in servers.items():
        settings = {**_mapping(_mapping(data).get("defaults")), **_mapping(server)}
        yield from _ports(name, settings, has_components=name in _with_components(_mapping(data)))
    for key, account in accounts.items():
        yield from _contacts(key, _list(_mapping(account).get("contacts")), known)
    yield from links.findings(_mapping(data), servers)
    yield from links.kind_findings(_mapping(data), {name: _mapping(each).get("kind") for name, each in servers.items()})
    yield from foreign_references.findings(_mapping(data), domains)


def _domain(server: str, text: object, seen: dict[str, str]) -> Iterator[Finding]:
    """Notes the domain in `seen`, with its server."""
    domain = prepared_domain(text)
    if domain is None:
        return
    if domain in RESERVED_NAMES:
        yield Finding(("servers", server, "domain"), f"{domain!r} is reserved in every lab; write another domain")
    if domain in seen:
        message = f"{seen[domain]} serves {domain} already; give each server its own domain"
        yield Finding(("servers", server, "domain"), message)
    seen.setdefault(domain, server)


def _with_modules(data: object, servers: dict[str, Any]) -> Iterator[tuple[KeyPath, object]]:
    yield ("defaults",), _mapping(data).get("defaults")
    for name, server in servers.items():
        yield ("servers", name), server


def _modules(path: KeyPath, listed: list[Any], known: Collection[str]) -> Iterator[Finding]:
    for index, module in enumerate(listed):
        if isinstance(module, str) and module not in known:
            yield Finding((*path, index), f"no module {module!r}{choice(module, sorted(known))}")
        elif module in listed[:index]:
            yield Finding((*path, index), f"the module {module!r} is listed twice; delete one of the two")


def _admin(path: KeyPath, admin: Jid | None, known: Collection[Jid]) -> Iterator[Finding]:
    if admin is not None and admin not in known:
        yield Finding(path, f"no account {str(admin)!r} in this file{choice(str(admin), map(str, known))}")


def _nodes(data: object, servers: dict[str, Any]) -> Iterator[Finding]:
    """The further nodes of a server have names too."""
    named = [_mapping(_mapping(data).get(section)) for section in ("servers", "gateways", "networks")]
    total = sum(map(len, named))
    for name, server in servers.items():
        count = _mapping(server).get("nodes", 1)
        total += count - 1 if isinstance(count, int) and 1 <= count <= MAX_NODES else 0
        for number in range(2, count + 1 if isinstance(count, int) and count <= MAX_NODES else 2):
            taken = node_name(name, number)
            if any(taken in section for section in named):
                message = f"its node {number} would be named {taken}, as something else in this file; rename that"
                yield Finding(("servers", name, "nodes"), message)
    if total > MAX_TOPOLOGY_NODES:
        message = f"this has {total} nodes, including gateways and networks; at most {MAX_TOPOLOGY_NODES} fit in"
        yield Finding(("servers",), message, at_key=True)


def _with_components(data: dict[str, Any]) -> set[object]:
    """The servers that listen for components."""
    return {part.get("server") for key in ("gateways", "components") for part in sections(data, key).values()}


def _ports(name: str, settings: dict[str, Any], *, has_components: bool) -> Iterator[Finding]:
    usual = {"c2s_port": 5222, "direct_tls_port": 5223, "http_port": 5281, "s2s_port": 5269}
    ports = {key: settings.get(key, port) for key, port in usual.items()}
    if settings.get("tls") == "off":
        del ports["direct_tls_port"]
    elif (direct := settings.get("s2s_direct_tls_port")) is not None:
        ports["s2s_direct_tls_port"] = direct
    for key, port in ports.items():
        if has_components and port == COMPONENT_PORT:
            message = f"{key} is {port}, the port for components of {name}; write another"
            yield Finding(("servers", name, key), message)
    for one, other in combinations(ports, 2):
        if ports[one] == ports[other]:
            message = f"{one} and {other} are both {ports[one]}; give one of them another"
            yield Finding(("servers", name), message, at_key=True)


def _accounts(accounts: dict[str, Any], domains: Collection[str]) -> Iterator[Finding]:
    seen: dict[Jid, str] = {}
    for key in accounts:
        jid = _jid(key)
        if jid is None:
            continue
        path: KeyPath = ("accounts", key)
        if jid in seen:
            message = f"this is the same account as {seen[jid]} (RFC 7622); keep one of the two"
            yield Finding(path, message, at_key=True)
        elif domains and jid.domainpart not in domains:
            message = f"no server serves {jid.domainpart!r}{choice(jid.domainpart, domains)}"
            yield Finding(path, message, at_key=True)
        seen.setdefault(jid, key)


def _contacts(account: str, listed: list[Any], known: Collection[Jid]) -> Iterator[Finding]:
    seen: set[Jid] = set()
    for index, entry in enumerate(listed):
        path: KeyPath = ("accounts", account, "contacts", index)
        jid = _jid(entry if isinstance(entry, str) else _mapping(entry).get("jid"))
        if jid is None:
            continue
        if jid == _jid(account):
            yield Finding(path, "an account cannot be its own contact; delete this entry")
        elif jid in seen:
            yield Finding(path, f"{jid} is listed twice; delete one of the two")
        elif jid not in known:
            others = sorted(str(other) for other in known if other != _jid(account))
            yield Finding(path, f"no account {str(jid)!r} in this file{choice(str(jid), others)}")
        seen.add(jid)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _jid(value: object) -> Jid | None:
    """The account that this text names."""
    jid = _prepared(value)
    return jid if jid and jid.localpart and not jid.resourcepart else None


def _prepared(value: object) -> Jid | None:
    try:
        return Jid.parse(value) if isinstance(value, str) else None
    except JidError:
        return None
