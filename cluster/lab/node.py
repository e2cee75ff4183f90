"""The process of one server: `python -m cluster.lab.node STATE_DIR NODE`."""

from __future__ import annotations

import hashlib
import os
import random
import secrets
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.ssl import CertificateOptions
from twisted.logger import Logger

from cluster import modules
from cluster.base.turn import Turn
from cluster.lab import process
from cluster.lab.control import ControlServer
from cluster.lab.folder import LabFolder
from cluster.lab.process import new_id
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.router.nodes.redis import RedisNodes
from cluster.router.redis import RedisRouter
from cluster.server import frames
from cluster.server.administration import Administration
from cluster.server.c2s import C2s, ClientStreams, stream_options
from cluster.server.component import Component
from cluster.server.component_stream import ComponentStreams
from cluster.server.credentials import Credentials
from cluster.server.domain import Domain
from cluster.server.seats import Seats
from cluster.server.web import site
from cluster.store.port import RosterItem
from cluster.store.redis import redis_store
from cluster.streams import tls
from cluster.topology.plan import AccountSeed, Plan, ServerNode
from cluster.trace.hop import Tracer
from cluster.trace.redis import RedisJournal
from cluster.xmpp.jid import Jid

BACKLOG = 1024
"""Connections that may wait to be taken: load tests open many at once."""


class Node:
    """Everything of one server process, wired."""

    def __init__(self, reactor: Any, folder: LabFolder, server: ServerNode) -> None:
        plan = folder.plan()
        keys = Keys.of_lab(plan.name)
        self._reactor = reactor
        self._server = server
        url = RedisUrl.parse(folder.secrets()[server.domain])
        self._client = client = RedisClient(reactor, url, random.random)
        self._home = keys.accounts(server.domain)
        self._store = redis_store(client, keys, server.domain)
        self._journal = RedisJournal(client, keys, reactor, plan.journal_bytes)
        tracer = Tracer(server.name, self._journal, time.time_ns, new_id, plan.sample_every, reactor)
        turn = Turn(reactor)
        self._nodes = RedisNodes(
            reactor, client, keys.nodes(server.domain), turn=turn, name=server.name, incarnation=new_id(),
            tracer=tracer, max_backlog=plan.max_backlog, decode=frames.decode,
        )  # fmt: skip
        router = RedisRouter(
            reactor, client, keys, turn=turn, domain=server.domain, tracer=tracer, max_backlog=plan.max_backlog,
            now_utc_s=time.time, sender=server.channel, share=self._nodes.share, served_by=plan.served_by,
            peers=server.peers,
        )  # fmt: skip
        self._nodes.on_change = router.share_changed
        self._credentials = Credentials(
            self._store.accounts, self._store.secrets, reactor, reactor.getThreadPool(), lambda: secrets.token_bytes(16)
        )
        loaded = modules.load(server.modules)
        components = [Component(seed.domain, seed.secret, reactor, tracer) for seed in server.components]
        self._domain = Domain(
            server.domain, store=self._store, router=router, tracer=tracer, credentials=self._credentials,
            modules=loaded, registration=server.registration,
            registrations_per_minute=server.registrations_per_minute, strict=server.strict, admin=server.admin,
            limits=server.limits, probes_per_minute=plan.probes_per_minute,
            new_id=new_id, now_utc_s=time.time, clock=reactor, turn=turn,
            components=components, served_by=plan.served_by, nodes=self._nodes,
            components_at=_components_at(plan, server),
        )  # fmt: skip
        options = stream_options(self._domain.context, server.tls, server.anonymous)
        self._tls = offered = _tls(folder, server.server)
        self._seats = Seats(self._domain, self._nodes, new_id, _expelled)
        self._streams = ClientStreams(
            C2s(self._domain, self._seats, options, reactor, new_id, offered.starttls, offered.end_point)
        )
        self._components = ComponentStreams(self._domain, reactor, turn, new_id)
        administration = Administration(self._domain, self._streams.streams)
        self._control = ControlServer(client, keys, server.channel, administration)
        self._router = router
        self._ports: list[Any] = []

    async def start(self) -> None:
        """Connect to Redis, make the accounts of the topology, and take clients."""
        await self._client.connect(self._home)
        await gatherResults([Deferred.fromCoroutine(self._seed(seed)) for seed in self._server.accounts])
        await self._domain.start()
        await self._nodes.start(self._seats.relay)
        await self._control.start()
        server = self._server
        self._listen(server.c2s_port, self._streams)
        web_tls = None if server.tls == "off" else self._tls.web
        self._listen(server.http_port, site(self._streams, self._reactor, is_secure=web_tls is not None), web_tls)
        if server.direct_tls:
            self._listen(server.direct_tls_port, self._streams, self._tls.direct)
        if server.components:
            self._listen(server.component_port, self._components)
        Logger().info("Serves {domain} on {address}", domain=self._server.domain, address=self._server.c2s)

    def _listen(self, port: int, factory: Any, tls: CertificateOptions | None = None) -> None:
        host = self._server.host
        if tls is None:
            self._ports.append(self._reactor.listenTCP(port, factory, BACKLOG, host))
        else:
            self._ports.append(self._reactor.listenSSL(port, factory, tls, BACKLOG, host))

    async def _seed(self, seed: AccountSeed) -> None:
        """Make an account of the topology with its contacts, unless an earlier start did."""
        if await self._store.accounts.is_seeded(seed.localpart):
            return
        roster = [
            RosterItem(Jid.parse(contact.jid), contact.name, tuple(contact.groups), subscription="both", listed=True)
            for contact in seed.contacts
        ]
        await self._store.accounts.seed(await self._credentials.account(seed.localpart, seed.password), roster)

    async def stop(self) -> None:
        """Take no more clients, end the streams, and let what is queued be written."""
        for port in self._ports:
            await port.stopListening()
        self._components.shut_down()  # first, so that clients hear of what no component will get
        self._streams.shut_down()
        await self._router.stop()
        await self._nodes.stop()
        self._journal.flush()
        await self._client.close()


def _components_at(plan: Plan, server: ServerNode) -> dict[str, str]:
    """The components of the domain that are connected to its first node, for another one."""
    [first, *_] = plan.nodes_of(server.server)
    return {} if first.name == server.name else dict.fromkeys((each.domain for each in first.components), first.name)


def _expelled() -> None:
    """A crash, so that nothing is done twice: the supervisor starts it anew."""
    Logger().error("Fenced: the other nodes missed our heartbeats and took over; restarting")
    os._exit(1)


class _Tls(NamedTuple):
    """The server's certificate on its ports; its hash is for channel binding."""

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
    """Run the server that the arguments name."""
    folder, name = LabFolder(Path(sys.argv[1])), sys.argv[2]
    server = next(server for server in folder.plan().servers if server.name == name)
    process.run(lambda reactor: Node(reactor, folder, server))


if __name__ == "__main__":
    main()
