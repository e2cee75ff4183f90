"""Servers on the real reactor, and strangers whose sockets are not Twisted's, for tests over real sockets and TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from cluster.base.turn import Turn
from cluster.router.link_faults import LinkFaults
from cluster.router.s2s.ports import Address, Names, S2sPorts, tcp
from cluster.router.s2s.router import S2sRouter
from cluster.streams.peer_tls import PeerTls
from cluster.xmpp.streams.stream_options import TlsMode
from tests.harness import PATIENCE_S, ReactorThread, until
from tests.helpers import ids
from tests.ports.worlds import CAPULET, MONTAGUE, Node, chat
from tests.unit.router.certificates import Authority, Certified
from tests.unit.xmpp.server_streams import HEADER

TRUSTED, OTHER = Authority("the lab's"), Authority("somebody else's")
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>"
STANZA = "<message from='romeo@montague.lit' to='juliet@capulet.lit'><body>hi</body></message>"


def dns(*names: str) -> list[x509.GeneralName]:
    return [x509.DNSName(name) for name in names]


OF_MONTAGUE = TRUSTED.issue(dns(MONTAGUE))
ANSWER = HEADER.replace(f"from='{MONTAGUE}' to='{CAPULET}'", f"from='{MONTAGUE}' to='{CAPULET}' id='s1'")
"""The stream header with which montague.lit answers."""


class Stranger:
    """Somebody with a socket."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S, (source, 0))

    def say(self, text: str, until: str = "") -> str:
        """Send this. Returns the answer up to the text `until`; nothing without one."""
        self.socket.sendall(text.encode())
        return self.read(until) if until else ""

    def read(self, until: str) -> str:
        got = b""
        while until.encode() not in got:
            with suppress(ssl.SSLError, ConnectionError):
                if data := self.socket.recv(65_536):
                    got += data
                    continue
            raise AssertionError(f"no {until!r} in {got.decode()!r}")
        return got.decode()

    def start_tls(self, certified: Certified | None, folder: Path, **settings: Any) -> None:
        """Start TLS with this certificate; the server's is not verified."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for name, value in settings.items():
            setattr(context, name, value)
        if certified is not None:
            file = folder / "stranger.pem"
            file.write_bytes(certified.pem)
            context.load_cert_chain(file)
        self.socket = context.wrap_socket(self.socket, server_hostname=CAPULET)

    def secure(self, certified: Certified | None, folder: Path) -> str:
        """Start TLS by STARTTLS. Returns the features that are offered after it."""
        self.say(HEADER, "</stream:features>")
        self.say(STARTTLS, "<proceed")
        self.start_tls(certified, folder)
        return self.say(HEADER, "</stream:features>")


class Server:
    """A domain's server on the real reactor; `addresses` has those of the others."""

    def __init__(
        self, thread: ReactorThread, tls: TlsMode, domain: str = CAPULET, bidirectional: Collection[str] = ()
    ) -> None:
        self.thread, self.domain = thread, domain
        certified = TRUSTED.issue(dns(domain))
        self.node = Node(thread.reactor)
        self.addresses: dict[str, tuple[Address, ...]] = {}
        self.names: Names | None = None
        """Asked in place of `addresses`."""
        faults = LinkFaults(thread.reactor, domain, self.node.tracer, lambda from_, count: None, thread.reactor.seconds)

        async def secret() -> str:
            return f"{domain}'s"

        async def look_up(domain: str) -> Sequence[Address]:
            return await self.names(domain) if self.names is not None else self.addresses.get(domain, ())

        self.ports = S2sPorts(
            (domain,), thread.reactor, Turn(thread.reactor), ids(), look_up, tcp(thread.reactor),
            secret, faults, self.node.tracer, tls_mode=tls,
            tls=PeerTls(certified.key, certified.certificate, [TRUSTED.certificate]), bidirectional=bidirectional,
        )  # fmt: skip
        self.router = S2sRouter(self.ports)
        self.port = 0
        self._strangers: list[Stranger] = []
        thread.run(self._start)

    async def _start(self) -> None:
        self.node.router = self.router
        await self.router.start(self.node)
        self._listener = self.thread.reactor.listenTCP(0, self.router, 1024, "127.0.0.1")
        self.port = self._listener.getHost().port

    def stranger(self) -> Stranger:
        """A new stranger, whose socket is closed with the server."""
        stranger = Stranger(self.port)
        self._strangers.append(stranger)
        return stranger

    async def pause(self) -> None:
        """Let the reactor do its work; on its thread."""
        await deferLater(self.thread.reactor, 0)

    def wait(self, condition: Callable[[], object]) -> None:
        async def wait() -> None:
            await until(self.thread.reactor, condition)

        self.thread.run(wait)

    def send(self, text: str) -> None:
        """A message of juliet to romeo, or of romeo to juliet."""
        from_, to = "juliet@capulet.lit/balcony", "romeo@montague.lit"
        if self.domain == MONTAGUE:
            from_, to = to, from_

        async def send() -> None:
            self.node.send(chat(text, from_, to))

        self.thread.run(send)

    def stop(self) -> None:
        async def stop() -> None:
            stopped: Deferred[None] | None = self._listener.stopListening()
            if stopped is not None:
                await stopped
            await self.router.stop()

        self.addresses.clear()  # what waits comes back instead of being waited for
        for stranger in self._strangers:
            stranger.socket.close()
        self.thread.run(stop)


class Listener:
    """Accepts montague.lit's connections one by one and answers as the test says."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._serve = serve
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, suppress(OSError):
                    self._serve(connection)

    def close(self) -> None:
        self._socket.close()
