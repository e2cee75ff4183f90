"""What a server offers over HTTP: host-meta (XEP-0156, RFC 6415), and the way to its WebSockets."""

from __future__ import annotations

import json
import tempfile
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from twisted.internet.testing import StringTransport

from cluster.server.c2s.client_stream import HEADER_TIMEOUT_S
from cluster.server.c2s.web import site
from tests.network import MONTAGUE, Network

HANDSHAKE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class Visitor:
    """A connection to the HTTP port."""

    def __init__(self, network: Network, *, is_secure: bool = True) -> None:
        self.transport = StringTransport()
        self.transport.setTcpNoDelay = self.transport.setTcpKeepAlive = lambda enabled: None
        streams = network.servers[MONTAGUE].streams
        self._channel: Any = site(streams, network.clock, is_secure=is_secure).buildProtocol(None)
        self._channel.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        """A piece of a request."""
        self._channel.dataReceived(data)

    def get(
        self, path: str, headers: str = "", version: str = "1.1", host: str = "web.lit:5281", method: str = "GET"
    ) -> tuple[str, str]:
        """Head and body of the answer."""
        named = f"Host: {host}\r\n" if host else ""
        self._channel.dataReceived(f"{method} {path} HTTP/{version}\r\n{named}{headers}\r\n".encode())
        head, _, body = self.transport.value().decode().partition("\r\n\r\n")
        return head, body


@pytest.mark.parametrize("is_secure", [True, False])
def test_host_meta_says_where_the_websockets_are(network: Network, is_secure: bool) -> None:
    url = f"{'wss' if is_secure else 'ws'}://web.lit:5281/xmpp-websocket"
    link = {"rel": "urn:xmpp:alt-connections:websocket", "href": url}
    head, body = Visitor(network, is_secure=is_secure).get("/.well-known/host-meta")
    assert "Content-Type: application/xrd+xml" in head
    assert "Access-Control-Allow-Origin: *" in head
    document = ET.fromstring(body)
    assert document.tag == "{http://docs.oasis-open.org/ns/xri/xrd-1.0}XRD"
    assert [child.attrib for child in document] == [link]
    head, body = Visitor(network, is_secure=is_secure).get("/.well-known/host-meta.json")
    assert "Content-Type: application/json" in head
    assert json.loads(body) == {"links": [link]}


def test_who_does_not_say_where_it_goes_is_told_the_address(network: Network) -> None:
    _, body = Visitor(network).get("/.well-known/host-meta.json", version="1.0", host="")
    assert json.loads(body)["links"][0]["href"] == "wss://10.0.0.1:12345/xmpp-websocket"


def test_the_handshake_of_a_websocket(network: Network) -> None:
    visitor = Visitor(network)
    head, _ = visitor.get("/xmpp-websocket", f"{HANDSHAKE}Sec-WebSocket-Protocol: chat, xmpp\r\n")
    assert head.startswith("HTTP/1.1 101")
    assert "Sec-WebSocket-Protocol: xmpp" in head
    assert len(network.servers[MONTAGUE].streams.streams) == 1


@pytest.mark.parametrize("headers", ["", HANDSHAKE, f"{HANDSHAKE}Sec-WebSocket-Protocol: chat\r\n"])
def test_what_is_no_handshake_of_xmpp(network: Network, headers: str) -> None:
    head, body = Visitor(network).get("/xmpp-websocket", headers)
    assert head.startswith("HTTP/1.1 400")
    assert "RFC 7395" in body
    assert network.servers[MONTAGUE].streams.streams == {}


def test_a_request_that_never_ends_is_hung_up_on(network: Network) -> None:
    """A byte now and then is no request."""
    visitor = Visitor(network)
    visitor.send(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(int(HEADER_TIMEOUT_S)):
        assert not visitor.transport.disconnecting
        visitor.send(b"x")
        network.advance(1)
    assert visitor.transport.disconnecting


@pytest.mark.parametrize("length", ["Content-Length: 1000000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", ["/.well-known/host-meta", "/xmpp-websocket", "/"])
def test_a_body_is_refused_and_goes_nowhere(
    network: Network, length: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    visitor = Visitor(network)
    head, _ = visitor.get(path, f"{length}\r\n", method="POST")
    assert head.startswith("HTTP/1.1 413")
    assert visitor.transport.disconnecting
    for _ in range(100):
        visitor.send(b"ffff\r\n" + b"x" * 65_535 + b"\r\n")
    request = visitor._channel.requests[0]
    assert request.content.getvalue() == b""


def test_a_second_request_on_one_connection(network: Network) -> None:
    visitor = Visitor(network)
    for _ in range(3):
        visitor.transport.clear()
        head, body = visitor.get("/.well-known/host-meta.json")
        assert head.startswith("HTTP/1.1 200")
        assert json.loads(body)
        network.advance(HEADER_TIMEOUT_S - 1)
    assert not visitor.transport.disconnecting
    network.advance(1)
    assert visitor.transport.disconnecting


def test_who_asks_for_nothing_is_hung_up_on(network: Network) -> None:
    visitor = Visitor(network)
    network.advance(HEADER_TIMEOUT_S)
    assert visitor.transport.disconnecting
