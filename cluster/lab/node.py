"""The process of one server: `python -m cluster.lab.node STATE_DIR NODE`.

It serves until SIGTERM, or until its standard input ends: then whoever started it is gone.
"""

from __future__ import annotations

import hashlib
import os
import random
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import crypto
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.internet.stdio import StandardIO
from twisted.logger import LogEvent, Logger, LogLevel, formatEvent, globalLogBeginner
from twisted.python.failure import Failure

from cluster import modules
from cluster.lab.control import ControlServer
from cluster.lab.folder import LabFolder
from cluster.lab.logs import LogLine, encode, utc_text
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.router.redis import RedisRouter
from cluster.server.administration import Administration
from cluster.server.c2s import C2s, ClientStreams
from cluster.server.credentials import Credentials
from cluster.server.domain import Domain
from cluster.server.turn import Turn
from cluster.store.port import RosterItem
from cluster.store.redis import redis_store
from cluster.topology.plan import AccountSeed, ServerNode
from cluster.trace.hop import Tracer
from cluster.trace.redis import RedisJournal
from cluster.xmpp.features import StreamOptions
from cluster.xmpp.jid import Jid


def new_id() -> str:
    """Ids that nobody can guess (RFC 6120 section 4.7.3)."""
    return secrets.token_hex(12)


class Node:
    """Everything of one server process, wired."""

    def __init__(self, reactor: Any, folder: LabFolder, server: ServerNode) -> None:
        plan = folder.plan()
        keys = Keys.of_lab(plan.name)
        self._reactor = reactor
        self._server = server
        url = RedisUrl.parse(folder.secrets()[server.domain])
        self._clients = [RedisClient(reactor, url, random.random) for _ in range(2)]
        commands, controls = self._clients
        self._store = redis_store(commands, keys, server.domain)
        self._journal = RedisJournal(commands, keys, reactor)
        tracer = Tracer(server.name, self._journal, time.time_ns, new_id, plan.sample_every)
        router = RedisRouter(
            reactor, commands, keys, domain=server.domain, node=server.name, tracer=tracer, max_backlog=plan.max_backlog
        )
        self._credentials = Credentials(
            self._store.accounts, reactor, reactor.getThreadPool(), lambda: secrets.token_bytes(16)
        )
        loaded = modules.load(server.modules or modules.names())
        self._domain = Domain(
            server.domain, store=self._store, router=router, tracer=tracer, credentials=self._credentials,
            modules=loaded, registration=server.registration, new_id=new_id, now_utc_s=time.time,
        )  # fmt: skip
        offered = tuple(m.stream_feature for m in loaded if m.stream_feature is not None)
        options = StreamOptions(server.domain, server.tls, offered if server.registration else ())
        tls, end_point = _tls(folder, server.name)
        self._streams = ClientStreams(C2s(self._domain, options, reactor, Turn(reactor), new_id, tls, end_point))
        administration = Administration(self._domain, self._streams.streams)
        self._control = ControlServer(controls, keys, server.domain, administration)
        self._router = router
        self._port: Any = None

    async def start(self) -> None:
        """Connect to Redis, make the accounts of the topology, and take clients."""
        await gatherResults([Deferred.fromCoroutine(client.connect()) for client in self._clients])
        await gatherResults([Deferred.fromCoroutine(self._seed(seed)) for seed in self._server.accounts])
        await self._domain.start()
        await self._control.start()
        port, host = self._server.c2s_port, self._server.host
        self._port = self._reactor.listenTCP(port, self._streams, backlog=1024, interface=host)
        Logger().info("Serves {domain} on {address}", domain=self._server.domain, address=self._server.c2s)

    async def _seed(self, seed: AccountSeed) -> None:
        """Make an account of the topology with its contacts, unless an earlier start did."""
        if await self._store.accounts.get(seed.localpart) is not None:
            return
        for contact in seed.contacts:
            item = RosterItem(
                Jid.parse(contact.jid), contact.name, tuple(contact.groups), subscription="both", listed=True
            )
            await self._store.rosters.put(seed.localpart, item)
        await self._credentials.create(seed.localpart, seed.password)

    async def stop(self) -> None:
        """Take no more clients, end the streams, and let what is queued be written."""
        if self._port is not None:
            await self._port.stopListening()
        self._streams.shut_down()
        await self._router.stop()
        self._journal.flush()
        for client in self._clients:
            await client.close()


def _tls(folder: LabFolder, node: str) -> tuple[CertificateOptions, bytes]:
    """The server's certificate for TLS 1.2 and later, and its hash for channel binding."""
    certificate = x509.load_pem_x509_certificate(folder.certificate(node).read_bytes())
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, folder.key(node).read_bytes())
    options = CertificateOptions(
        privateKey=key, certificate=crypto.X509.from_cryptography(certificate), raiseMinimumTo=TLSVersion.TLSv1_2
    )
    return options, hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()


def log_to_stderr(event: LogEvent) -> None:
    """Each log event as one JSON line; the supervisor keeps them."""
    text = formatEvent(event)
    if "log_failure" in event:
        text += "\n" + event["log_failure"].getTraceback()
    at_utc = utc_text(datetime.fromtimestamp(event["log_time"], UTC))
    level: Any = event.get("log_level", LogLevel.info)
    os.write(2, encode(LogLine(at_utc, {"warn": "warning", "critical": "error"}.get(level.name, level.name), text)))


class _StopAtEnd(Protocol):
    """Stops the reactor when standard input ends."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._reactor.running:
            self._reactor.stop()


def main() -> None:
    """Run the server that the arguments name."""
    from twisted.internet import reactor  # noqa: TID251  # an entry point

    running: Any = reactor
    Factory.noisy = False  # Twisted tells of each start of a factory, which means nothing to a reader of our logs
    observer: Any = log_to_stderr  # zope.interface has no types
    globalLogBeginner.beginLoggingTo([observer], discardBuffer=True, redirectStandardIO=False)
    folder, name = LabFolder(Path(sys.argv[1])), sys.argv[2]
    server = next(server for server in folder.plan().servers if server.name == name)
    node = Node(running, folder, server)

    def failed(failure: Failure) -> None:
        Logger().failure("The server could not start", failure)
        os._exit(1)

    def start() -> None:
        StandardIO(_StopAtEnd(running), reactor=running)  # type: ignore[no-untyped-call]
        Deferred.fromCoroutine(node.start()).addErrback(failed)

    running.callWhenRunning(start)
    running.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(node.stop()))
    running.run()


if __name__ == "__main__":
    main()
