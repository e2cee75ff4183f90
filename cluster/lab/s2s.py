"""The router over XML streams of a lab's server."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Collection, Container, Sequence
from contextlib import suppress
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from twisted.names import hosts
from twisted.names.client import Resolver
from twisted.names.resolve import ResolverChain
from typing_extensions import override

from cluster.base.clock import Reactor
from cluster.base.turn import Turn
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.router.port import HopRecorder
from cluster.router.redis import RedisRouter
from cluster.router.redis_counts import RedisCounts
from cluster.router.s2s.dns import DnsNames
from cluster.router.s2s.ports import Address, Names, S2sPorts, tcp
from cluster.router.s2s.router import S2sRouter
from cluster.store.port import Store
from cluster.streams.peer_tls import PeerTls
from cluster.topology.plan import Plan, ServerNode


class Outside(Container[str]):
    """All domains that are neither in the lab nor below one of its domains, and some that are."""

    def __init__(self, plan: Plan, peers: Collection[str] = ()) -> None:
        self._known = frozenset(domain for server in plan.servers for domain in server.domains)
        self._peers = peers

    @override
    def __contains__(self, domain: object) -> bool:
        if domain in self._peers:
            return True
        below = str(domain)
        while below and below not in self._known:
            below = below.partition(".")[2]
        return not below


def reached(plan: Plan, node: ServerNode) -> Container[str]:
    """The domains that this server reaches by XML streams."""
    peers = frozenset(peer.domain for peer in node.s2s_peers)
    return Outside(plan, peers) if node.asks_outside else peers


def names(plans: Callable[[], Plan], name: str, outside: Names | None) -> Names:
    """The addresses of the newest plan; of a domain that is not in the lab, those that `outside` knows.

    `name`: that of the node that asks. `xmpplab scale` changes the plan of a running lab.
    """

    async def look_up(domain: str) -> Sequence[Address]:
        plan = plans()
        node = plan.server_named(name)
        found = [Address(peer.host, peer.port, peer.direct_tls) for peer in node.s2s_peers if peer.domain == domain]
        return found if found or outside is None or domain not in Outside(plan) else await outside(domain)

    return look_up


class NewestPlan:
    """The plan of a running lab, read again when its file has changed."""

    def __init__(self, folder: LabFolder, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._changed_ns = 0

    def __call__(self) -> Plan:
        """The plan; the one before while the file cannot be read."""
        with suppress(OSError, LabError):
            changed_ns = self._folder.plan_file.stat().st_mtime_ns
            if changed_ns != self._changed_ns:
                self._plan, self._changed_ns = self._folder.plan(), changed_ns
        return self._plan


def system_dns(reactor: Reactor) -> Names:
    """The names that this machine knows: /etc/hosts, and the name servers of /etc/resolv.conf."""
    asked: Any = Resolver(resolv="/etc/resolv.conf", reactor=reactor)
    return DnsNames(ResolverChain([hosts.Resolver(), asked]), random.random)


def s2s_router(
    reactor: Reactor, client: RedisClient, keys: Keys, turn: Turn, store: Store, tracer: HopRecorder,
    router: RedisRouter, folder: LabFolder, plan: Plan, node: ServerNode,
) -> S2sRouter:  # fmt: skip
    """`router` has the faults of all links into the domain."""

    async def secret() -> str:
        return (await store.secrets.get("dialback", secrets.token_hex(32).encode())).decode()

    outside = system_dns(reactor) if node.asks_outside else None
    components = [domain for domain, server in plan.served_by.items() if server == node.domain]
    ports = S2sPorts(
        (node.domain, *components), reactor, turn, lambda: secrets.token_urlsafe(16),
        names(NewestPlan(folder, plan), node.name, outside), tcp(reactor), secret, router.faults, tracer,
        RedisCounts(reactor, client, keys, node.domain), node.tls, None if node.tls == "off" else _tls(folder, node),
        plan.served_by, plan.max_backlog, reached(plan, node), frozenset(each.domain for each in plan.ours),
        frozenset(node.bidirectional), random.random,
    )  # fmt: skip
    return S2sRouter(ports)


def _tls(folder: LabFolder, node: ServerNode) -> PeerTls:
    certificate = x509.load_pem_x509_certificate(folder.certificate(node.server).read_bytes())
    key = load_pem_private_key(folder.key(node.server).read_bytes(), None)
    return PeerTls(key, certificate, x509.load_pem_x509_certificates(folder.ca_file.read_bytes()))
