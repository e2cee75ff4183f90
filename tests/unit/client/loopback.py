"""A server of one client over loopback sockets: the library's server side of a stream, on a thread of its own."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cluster.client.blocking import BlockingClient
from cluster.lab.provision.ca import issue
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import Event, TlsWanted
from cluster.xmpp.streams.login import Login
from cluster.xmpp.streams.receiving import ReceivingStream
from cluster.xmpp.streams.states import State
from cluster.xmpp.streams.stream_options import StreamOptions
from tests.harness import PATIENCE_S
from tests.helpers import DOMAIN, Host, ids

ROMEO = Jid("romeo", DOMAIN, "pda")
LOGIN = Login(ROMEO, "secret")
OFF = StreamOptions(DOMAIN, "off")
REQUIRED = StreamOptions(DOMAIN, "required")


class Server:
    """Serves one client on a thread of its own; `on_stanza` is called with what it sends."""

    def __init__(self) -> None:
        self.options = OFF
        self.on_stanza: Callable[[ReceivingStream, Stanza], None] = lambda stream, stanza: stream.send(stanza)
        self.greeting: bytes | None = None
        """Sent at once instead of all that; the connection is closed after it."""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.bindings: dict[str, bytes] = {}
        self.events: list[Event] = []
        self._host = Host()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_S)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._thread = threading.Thread(target=self._serve)

    def start(self) -> BlockingClient:
        """A client that is logged in here without TLS."""
        self._thread.start()
        return BlockingClient(self.address, LOGIN, None, PATIENCE_S)

    def start_tls(self, ca_file: Path) -> BlockingClient:
        """A client that is logged in here under TLS."""
        self._thread.start()
        return BlockingClient(self.address, LOGIN, str(ca_file), PATIENCE_S)

    def wait(self) -> None:
        """Until the client is served."""
        if self._thread.ident is not None:
            self._thread.join(PATIENCE_S)
            assert not self._thread.is_alive()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE_S)
        try:
            if self.greeting is not None:
                connection.sendall(self.greeting)
            else:
                connection = self._converse(connection)
        except OSError:
            pass  # the client left; it says why
        finally:
            connection.close()

    def _converse(self, connection: socket.socket) -> socket.socket:
        stream = ReceivingStream(self.options, ids())
        while stream.state is not State.CLOSED and (data := connection.recv(65_536)):
            stream.receive_data(data)
            for event in stream.events():
                self.events.append(event)
                if isinstance(event, TlsWanted):
                    connection.sendall(stream.data_to_send())
                    connection = self.context.wrap_socket(connection, server_side=True)
                    stream.tls_started(self.bindings)
                elif isinstance(event, Stanza):
                    self.on_stanza(stream, event)
                else:
                    self._host.answer(stream, event)
            connection.sendall(stream.data_to_send())
        return connection


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of two authorities: `ca.pem` signed `server.pem` and `other.pem`, which is of another domain."""
    folder = tmp_path_factory.mktemp("ca")
    authority, issued = issue(
        datetime.now(UTC), "test", {"server": ([DOMAIN], "127.0.0.1"), "other": (["capulet.lit"], "127.0.0.1")}
    )
    folder.joinpath("ca.pem").write_bytes(authority)
    for name, server in issued.items():
        folder.joinpath(f"{name}.pem").write_bytes(server.certificate + server.key)
    folder.joinpath("stranger.pem").write_bytes(issue(datetime.now(UTC), "stranger", {})[0])
    return folder


def secure(server: Server, certificate: Path) -> None:
    server.options = REQUIRED
    server.context.load_cert_chain(certificate)
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text().partition("-----BEGIN PRIVATE")[0])
    server.bindings = {sasl.END_POINT: hashlib.sha256(der).digest()}
