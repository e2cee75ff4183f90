"""The process of a server, and of those that share it: `python -m cluster.lab.node STATE_DIR NODE`."""

from __future__ import annotations

import hashlib
import os
import random
import secrets
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.ssl import CertificateOptions
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from cluster.base.clock import Reactor, as_interface
from cluster.base.turn import Turn
from cluster.lab.control.requests import PROCESS, SERVER
from cluster.lab.control.server import ControlServer
from cluster.lab.folder import LabFolder
from cluster.lab.over_redis import over_redis
from cluster.lab.runtime import process
from cluster.lab.runtime.monitor import Monitor
from cluster.lab.runtime.process import new_id
from cluster.lab.runtime.shared import SharedProcess
from cluster.lab.s2s import NewestPlan, reached, s2s_router
from cluster.lab.serving import config, roster
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.router.mixed import MixedRouter
from cluster.router.port import Router
from cluster.router.s2s.router import S2sRouter
from cluster.server.build import build
from cluster.server.c2s.web import site
from cluster.server.config import Ports
from cluster.streams import tls
from cluster.streams.tls_layer import TlsFactory
from cluster.topology.plan import AccountSeed, Plan, XmpplabServer
from cluster.trace.hop import Tracer
from cluster.trace.redis import RedisJournal
from cluster.xmpp.streams.sasl import make_keys

BACKLOG = 1024
"""Connections that may wait to be accepted: load tests open many at once."""


class Node:
    """One server, or one node of a domain: its ports are the reactor and Redis."""

    def __init__(
        self, reactor: Reactor, folder: LabFolder, plan: Plan, redis: str, name: str, fenced: Callable[[], None],
        monitor: Monitor,
    ) -> None:  # fmt: skip
        """`redis`: the URL of its user; `fenced` ends it as a crash does."""
        node = next(server for server in plan.ours if server.name == name)
        keys = Keys.of_lab(plan.name)
        self._reactor = reactor
        self._node = node
        self._tls = _tls(folder, node.server)
        self._client = RedisClient(reactor, RedisUrl.parse(redis), random.random)
        self._home = keys.accounts(node.domain)
        self._journal = RedisJournal(self._client, keys, reactor, plan.journal_bytes)
        ports, self._s2s = _ports(reactor, folder, self._client, keys, self._journal, plan, node, fenced)
        self._server = build(config(plan, node, plan.served_by, self._tls.starttls, self._tls.end_point), ports)
        administration = self._server.administration
        self._control = ControlServer(
            self._client, keys, node.channel, (administration, SERVER), (process.LOG_LEVELS, PROCESS)
        )
        self._watched = monitor.watch(name, "server", administration.status, self._server)
        self._listeners: list[Any] = []

    async def start(self) -> None:
        """Connect to Redis, create the accounts of the topology, and listen for clients."""
        node, clients = self._node, self._server.clients
        await self._client.connect(self._home)
        await gatherResults([Deferred.fromCoroutine(self._seed(seed)) for seed in node.accounts])
        await self._server.start()
        await self._control.start()
        self._listen(node.c2s_port, clients)
        web_tls = None if node.tls == "off" else self._tls.web
        self._listen(node.http_port, site(clients, self._reactor, is_secure=web_tls is not None), web_tls)
        if node.direct_tls:
            self._listen(node.direct_tls_port, TlsFactory(self._tls.direct, clients, self._reactor))
        if node.components:
            self._listen(node.component_port, self._server.components)
        if self._s2s is not None:
            for port in node.s2s_ports:  # direct TLS is taken at each of them
                self._listen(port, self._s2s)
        self._watched.is_up = True
        Logger().info("Serves {domain} on {address}", domain=node.domain, address=node.c2s)

    def _listen(self, port: int, factory: Any, tls: CertificateOptions | None = None) -> None:
        host = self._node.host
        if tls is None:
            self._listeners.append(self._reactor.listenTCP(port, factory, BACKLOG, host))
        else:
            self._listeners.append(self._reactor.listenSSL(port, factory, tls, BACKLOG, host))

    async def _seed(self, seed: AccountSeed) -> None:
        """Create an account of the topology with its contacts, unless an earlier start did."""
        accounts = self._server.ports.store.accounts
        if await accounts.is_seeded(seed.localpart):
            return
        account = await self._server.domain.credentials.account(seed.localpart, seed.password)
        await accounts.seed(account, roster(seed))

    async def stop(self) -> None:
        """Stop listening, end the streams, and write what is queued."""
        self._watched.is_up = False
        for listener in self._listeners:
            await listener.stopListening()
        await self._server.stop()
        self._journal.flush()
        await self._client.close()


def _ports(
    reactor: Reactor, folder: LabFolder, client: RedisClient, keys: Keys, journal: RedisJournal, plan: Plan,
    node: XmpplabServer, fenced: Callable[[], None],
) -> tuple[Ports, S2sRouter | None]:  # fmt: skip
    """And what listens for other servers, where there are some to speak with over XML streams."""
    tracer = Tracer(node.name, journal, time.time_ns, new_id, plan.sample_every, reactor)
    turn = Turn(reactor)
    store, router, nodes = over_redis(
        reactor, client, plan, node, turn=turn, tracer=tracer, incarnation=new_id(), now_utc_s=time.time
    )
    s2s: S2sRouter | None = None
    both: Router = router
    if node.takes_streams:
        s2s = s2s_router(reactor, client, keys, turn, store, tracer, router, folder, plan, node)
        both = MixedRouter(router, s2s, reached(plan, node))
    ports = Ports(
        reactor, time.time, turn, new_id, lambda: secrets.token_bytes(16),
        derive=lambda *what: deferToThreadPool(as_interface(reactor), reactor.getThreadPool(), make_keys, *what),
        store=store, router=both, nodes=nodes, tracer=tracer, fenced=partial(_on_fenced, fenced),
    )  # fmt: skip
    return ports, s2s


def _on_fenced(end: Callable[[], None]) -> None:
    """End as in a crash, so that nothing is done twice; it is started again."""
    Logger().error("Fenced: the other nodes missed our heartbeats and took over; restarting")
    end()


class _Tls(NamedTuple):
    """The server's certificate for its ports; its hash is for channel binding."""

    starttls: CertificateOptions
    direct: CertificateOptions
    web: CertificateOptions
    end_point: bytes


def _tls(folder: LabFolder, server: str) -> _Tls:
    certificate = x509.load_pem_x509_certificate(folder.certificate(server).read_bytes())
    key = load_pem_private_key(folder.key(server).read_bytes(), None)
    return _Tls(
        tls.offer(key, certificate, tls.XMPP, must_agree=False),
        tls.offer(key, certificate, tls.XMPP, must_agree=True),
        tls.offer(key, certificate, tls.HTTP, must_agree=True),
        hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest(),
    )


def main() -> None:
    """Run the server that the arguments name, and those that share its process."""
    folder, first = LabFolder(Path(sys.argv[1])), sys.argv[2]
    plan, secrets = folder.plan(), folder.secrets()
    plans = NewestPlan(folder, plan)
    domains = {server.name: server.domain for server in plan.ours}

    def make(monitor: Monitor, name: str, reactor: Reactor, fenced: Callable[[], None]) -> Node:
        return Node(reactor, folder, plans(), secrets[domains[name]], name, fenced, monitor)

    def service(reactor: Reactor) -> process.Service:
        names, monitor = plan.process_of(first), Monitor(reactor, folder, first)
        if len(names) == 1:
            return make(monitor, first, reactor, partial(os._exit, 1))
        return SharedProcess(reactor, {name: partial(make, monitor, name) for name in names})

    process.run(service)


if __name__ == "__main__":
    main()
