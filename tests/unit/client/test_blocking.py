"""The blocking client, over loopback sockets, against the server's side of a stream."""

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
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import Event, KeysWanted, TlsWanted
from cluster.xmpp.streams.login import Login, StreamFailed
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
        """Sent at once instead of all that; the connection is closed behind it."""
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


def test_send_and_receive(server: Server) -> None:
    with server.start() as client:
        assert client.jid == ROMEO
        client.send(b"<message id='1'><body>hi</body></message><message id='2'/>")
        for id in ("1", "2"):
            child = client.receive(PATIENCE_S)
            assert child is not None
            assert (child.name, child.attributes["id"]) == ("jabber:client message", id)
            assert child.attributes["from"] == str(ROMEO)


def test_tls(server: Server, folder: Path) -> None:
    secure(server, folder / "server.pem")
    with server.start_tls(folder / "ca.pem") as client:
        client.send(b"<presence/>")
        assert client.receive(PATIENCE_S) is not None
    # logged in by -PLUS: the server took its own certificate's hash for the client's channel binding
    assert KeysWanted("romeo", "SCRAM-SHA-256") in server.events


def test_tls_with_another_binding_than_the_servers(server: Server, folder: Path) -> None:
    secure(server, folder / "server.pem")
    server.bindings = {sasl.END_POINT: b"the hash of another certificate"}
    with pytest.raises(StreamFailed, match="not-authorized"):
        server.start_tls(folder / "ca.pem")


@pytest.mark.parametrize(("certificate", "ca"), [("server", "stranger"), ("other", "ca")], ids=["authority", "domain"])
def test_certificate_that_is_not_to_be_trusted(server: Server, folder: Path, certificate: str, ca: str) -> None:
    secure(server, folder / f"{certificate}.pem")
    with pytest.raises(ssl.SSLCertVerificationError):
        server.start_tls(folder / f"{ca}.pem")
    server.wait()
    assert not any(isinstance(event, KeysWanted) for event in server.events)


def test_refused_login(server: Server) -> None:
    server.options = StreamOptions("verona.lit", "off")
    with pytest.raises(StreamFailed) as caught:
        server.start()
    assert caught.value.condition == "host-unknown"


@pytest.mark.parametrize(
    ("greeting", "error"),
    [(b"", ConnectionError), (b"SSH-2.0-x\r\n", StreamError), (b"<?xml version='1.0'?><strea", OSError)],
)
def test_no_server_of_ours(server: Server, greeting: bytes, error: type[Exception]) -> None:
    server.greeting = greeting
    with pytest.raises(error):
        server.start()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with pytest.raises(ConnectionRefusedError):
        BlockingClient(address, LOGIN, None, PATIENCE_S)


def test_silence_before_the_login() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(TimeoutError):
        BlockingClient(listener.getsockname(), LOGIN, None, 0.01)


def test_silence_after_the_login(server: Server) -> None:
    with server.start() as client:
        with pytest.raises(TimeoutError):
            client.receive(0.01)
        client.send(b"<presence/>")
        assert client.receive(PATIENCE_S) is not None


def test_end_by_the_server(server: Server) -> None:
    def farewell(stream: ReceivingStream, stanza: Stanza) -> None:
        stream.send(make("message", id="last"))
        stream.close()

    server.on_stanza = farewell
    with server.start() as client:
        client.send(b"<presence/>")
        last = client.receive(PATIENCE_S)
        assert last is not None
        assert last.attributes == {"id": "last"}
        assert client.receive(PATIENCE_S) is None
        assert client.receive(PATIENCE_S) is None


def test_error_by_the_server(server: Server) -> None:
    server.on_stanza = lambda stream, stanza: stream.fail(StreamError(StreamCondition.CONFLICT, "why"))  # type: ignore[assignment,return-value]
    with server.start() as client:
        client.send(b"<presence/>")
        with pytest.raises(StreamFailed, match=r"stream: conflict \(why\)"):
            client.receive(PATIENCE_S)


def test_close_ends_the_stream(server: Server) -> None:
    client = server.start()
    client.close()
    client.close()
    server.wait()
    assert server.events[-1].__class__.__name__ == "Closed"
