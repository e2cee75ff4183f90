"""The blocking client, over loopback sockets, against the server's side of a stream."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from cluster.client.blocking import BlockingClient
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import KeysWanted
from cluster.xmpp.streams.login import StreamFailed
from cluster.xmpp.streams.receiving import ReceivingStream
from cluster.xmpp.streams.stream_options import StreamOptions
from tests.harness import PATIENCE_S
from tests.unit.client.loopback import LOGIN, ROMEO, Server, folder, secure, server

__all__ = ["folder", "server"]


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
    server.on_stanza = lambda stream, stanza: stream.fail(StreamError(StreamCondition.CONFLICT, "why"))
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
