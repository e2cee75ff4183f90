"""The connection of a load user, over loopback sockets, in gevent's loop."""

from __future__ import annotations

from pathlib import Path

import gevent
import pytest

from cluster.client.blocking import BlockingClient
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.receiving import ReceivingStream
from loadtests import connection
from loadtests.connection import Connection
from tests.harness import PATIENCE_S
from tests.unit.client.loopback import Server, folder, secure, server

__all__ = ["folder", "server"]


class Owner:
    """Has a connection, and what it reported."""

    def __init__(self, client: BlockingClient) -> None:
        self.children: list[Slice] = []
        self.lost: list[Exception] = []
        self.connection = Connection(client, self.children.append, lambda _, error: self.lost.append(error))

    def wait_for(self, count: int) -> list[str]:
        """The ids of the first so many stanzas."""
        with gevent.Timeout(PATIENCE_S):
            while len(self.children) < count and not self.lost:
                gevent.sleep(0.001)
        return [child.attributes["id"] for child in self.children]


@pytest.mark.parametrize("is_tls", [False, True])
def test_what_comes_is_handed_on(server: Server, folder: Path, is_tls: bool) -> None:
    if is_tls:
        secure(server, folder / "server.pem")
    owner = Owner(server.start_tls(folder / "ca.pem") if is_tls else server.start())
    owner.connection.send(b"<message id='1'/><message id='2'><body>hi</body></message>")
    assert owner.wait_for(2) == ["1", "2"]
    with owner.connection.stop() as client:  # it blocks again
        client.send(b"<message id='3'/>")
        child = client.receive(PATIENCE_S)
        assert child is not None
        assert child.attributes["id"] == "3"
    assert owner.lost == []


@pytest.mark.parametrize("is_tls", [False, True])
def test_more_than_the_system_takes_at_once(server: Server, folder: Path, is_tls: bool) -> None:
    """The greenlet that sends waits meanwhile; others do not."""
    if is_tls:
        secure(server, folder / "server.pem")
    server.on_stanza = lambda stream, stanza: None if stanza.id != "last" else stream.send(stanza)
    owner = Owner(server.start_tls(folder / "ca.pem") if is_tls else server.start())
    many = b"".join(b"<message id='%d'><body>%s</body></message>" % (n, b"x" * 100_000) for n in range(80))
    with gevent.Timeout(PATIENCE_S):
        for start in range(0, len(many), 500_000):
            owner.connection.send(many[start : start + 500_000])
    owner.connection.write(b"<message id='last'/>")
    assert owner.wait_for(1) == ["last"]
    owner.connection.stop().close()


def test_what_was_read_during_the_login_is_not_lost(server: Server) -> None:
    client = server.start()
    client.send(b"<message id='1'/><message id='2'/>")
    assert client.receive(PATIENCE_S) is not None  # the other one has been read with it, or comes
    owner = Owner(client)
    assert owner.wait_for(1) == ["2"]
    owner.connection.stop().close()


def end(stream: ReceivingStream, stanza: Stanza) -> None:
    stream.close()


def nonsense(stream: ReceivingStream, stanza: Stanza) -> None:
    stream.send(Stanza("message", None, None, None, None, (), b"<message></iq>"))


@pytest.mark.parametrize(("what", "why"), [(end, "the server ended the stream"), (nonsense, "not-well-formed")])
def test_a_stream_that_ends_is_told_once(server: Server, what: object, why: str) -> None:
    server.on_stanza = what  # type: ignore[assignment]
    owner = Owner(server.start())
    owner.connection.send(b"<message id='1'/>")
    owner.wait_for(1)
    assert [why in str(error) for error in owner.lost] == [True]
    with pytest.raises(ConnectionError, match=why):
        owner.connection.send(b"<message id='2'/>")
    assert len(owner.lost) == 1


def test_a_server_that_does_not_read_is_taken_for_broken(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_UNSENT_BYTES", 1_000)
    owner = Owner(server.start())
    with pytest.raises(TimeoutError, match="the server has left 1,000 bytes unread"):
        owner.connection.write(b"<message id='1'>" + b" " * 30_000_000)
    assert len(owner.lost) == 1
