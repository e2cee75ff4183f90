"""How a server of a lab speaks with those of other domains over XML streams."""

from __future__ import annotations

import random
import secrets

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cluster.base.clock import Reactor
from cluster.base.turn import Turn
from cluster.lab.folder import LabFolder
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.router.port import HopRecorder
from cluster.router.redis import RedisRouter
from cluster.router.redis_counts import RedisCounts
from cluster.router.s2s.ports import Address, S2sPorts, directory, tcp
from cluster.router.s2s.router import S2sRouter
from cluster.store.port import Store
from cluster.streams.peer_tls import PeerTls
from cluster.topology.plan import Plan, ServerNode


def s2s_router(
    reactor: Reactor, client: RedisClient, keys: Keys, turn: Turn, store: Store, tracer: HopRecorder,
    router: RedisRouter, folder: LabFolder, plan: Plan, node: ServerNode,
) -> S2sRouter:  # fmt: skip
    """`router` knows the faults of all links into the domain. Names are those of the plan: nobody else is asked."""

    async def secret() -> str:
        return (await store.secrets.get("dialback", secrets.token_hex(32).encode())).decode()

    components = [domain for domain, server in plan.served_by.items() if server == node.domain]
    addresses = {peer.domain: (Address(peer.host, peer.port),) for peer in node.s2s_peers}
    ports = S2sPorts(
        (node.domain, *components), reactor, turn, lambda: secrets.token_urlsafe(16),
        directory(addresses), tcp(reactor), secret, router.faults, tracer,
        RedisCounts(reactor, client, keys, node.domain), node.tls, None if node.tls == "off" else _tls(folder, node),
        plan.served_by, plan.max_backlog, frozenset(addresses), random.random,
    )  # fmt: skip
    return S2sRouter(ports)


def _tls(folder: LabFolder, node: ServerNode) -> PeerTls:
    certificate = x509.load_pem_x509_certificate(folder.certificate(node.server).read_bytes())
    key = load_pem_private_key(folder.key(node.server).read_bytes(), None)
    return PeerTls(key, certificate, x509.load_pem_x509_certificates(folder.ca_file.read_bytes()))
