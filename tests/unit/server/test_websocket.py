"""WebSockets of clients (RFC 7395): the frames, and what becomes of those that are not XMPP."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from cluster.server.c2s.client_stream import HEADER_TIMEOUT_S
from cluster.server.c2s.client_streams import REST_AFTER_S
from cluster.server.c2s.websocket import WebSockets
from cluster.streams.connection import CLOSE_TIMEOUT_S
from cluster.xmpp.limits import FROM_CLIENT
from cluster.xmpp.namespaces import FRAMING
from tests.client import SOCKET_BYTES, Wire
from tests.network import MONTAGUE, Network

OPEN = f"<open xmlns='{FRAMING}' to='{MONTAGUE}' version='1.0'/>"
CLOSE = f'<close xmlns="{FRAMING}"/>'


class Browser:
    """The other end of a WebSocket after its handshake: wsproto, as the server's."""

    def __init__(self, network: Network) -> None:
        self.wire = Wire()
        self.messages: list[str] = []
        self.pongs = 0
        self.last_pong: bytes | None = None
        self.closed: int | None = None
        self._network = network
        self._frames = Connection(ConnectionType.CLIENT)
        self._socket = WebSockets(network.servers[MONTAGUE].streams, False).buildProtocol(None)
        self._socket.makeConnection(self.wire)

    def send(self, *events: object) -> None:
        """Frames, and what comes of them."""
        for event in events:
            self._socket.dataReceived(self._frames.send(event))
        self.read()

    def say(self, message: str) -> list[str]:
        """A message; what the server says to it."""
        self.messages.clear()
        self.send(TextMessage(message))
        return self.messages

    def read(self) -> None:
        self._network.settle()
        self._frames.receive_data(self.wire.take())
        for event in self._frames.events():
            match event:
                case TextMessage():
                    self.messages.append(event.data)
                case Pong():
                    self.pongs += 1
                    self.last_pong = bytes(event.payload)
                case CloseConnection():
                    self.closed = event.code

    def drop(self) -> None:
        self._socket.connectionLost(Failure(ConnectionLost()))


@pytest.fixture
def browser(network: Network) -> Browser:
    return Browser(network)


def test_a_message_in_several_frames(browser: Browser) -> None:
    browser.send(TextMessage(OPEN[:10], message_finished=False), Ping(), TextMessage(OPEN[10:]))
    opened, features = browser.messages
    assert opened.startswith(f'<open xmlns="{FRAMING}"')
    assert features.startswith("<stream:features xmlns:stream=")
    assert browser.pongs == 1


def test_pongs_do_not_pile_up_for_a_client_that_does_not_read(browser: Browser) -> None:
    """RFC 6455 section 5.5.3: the most recent ping may be answered only."""
    browser.say(OPEN)
    for number in range(5_000):
        browser._socket.dataReceived(browser._frames.send(Ping(b"%d" % number * 30)))
    assert len(browser.wire.written) < 2 * SOCKET_BYTES
    browser.read()
    assert browser.pongs < 5_000
    browser.read()
    assert browser.last_pong == b"4999" * 30
    browser.send(Ping())
    assert browser.last_pong == b""
    assert browser.wire.written == b""


def test_a_message_byte_by_byte_costs_what_it_is_long(browser: Browser) -> None:
    class Piece(str):
        __slots__ = ()
        copied = 0

        def encode(self, *_: object) -> Copied:
            return Copied(super().encode())

    class Copied(bytes):
        def __radd__(self, other: bytes | bytearray) -> object:
            if isinstance(other, bytearray):
                other.extend(self)
                return other
            Piece.copied += len(other)
            return bytes(other) + bytes(self)

    for _ in range(1_000):
        browser._socket._on_frame(TextMessage(Piece("x"), message_finished=False))
    assert Piece.copied < 10_000


def test_a_regular_end(browser: Browser) -> None:
    browser.say(OPEN)
    assert browser.say(CLOSE) == [CLOSE]
    assert browser.closed == 1000
    assert browser.wire.disconnecting


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (BytesMessage(OPEN.encode()), 1003),  # RFC 7395 section 3.2
        (TextMessage("x" * (FROM_CLIENT.max_bytes + 1), message_finished=False), 1009),
        (CloseConnection(1001), 1001),
    ],
)
def test_what_ends_the_websocket(browser: Browser, event: object, code: int) -> None:
    browser.say(OPEN)
    browser.send(event)
    assert browser.closed == code
    assert browser.wire.disconnecting


def test_what_is_no_frame(browser: Browser) -> None:
    browser._socket.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
    browser.read()
    assert browser.closed == 1002
    assert browser.wire.disconnecting


@pytest.mark.parametrize(
    ("message", "condition"),
    [("<message", "bad-format"), ("<a></b>", "not-well-formed"), ("<message/>", "not-authorized")],
)
def test_a_stream_error(network: Network, browser: Browser, message: str, condition: str) -> None:
    browser.say(OPEN)
    error, end = browser.say(message)
    assert f"<{condition} " in error
    assert end == CLOSE
    network.advance(CLOSE_TIMEOUT_S)
    browser.read()
    assert browser.closed == 1000


def test_time_limits_hold_here_too(network: Network, browser: Browser) -> None:
    network.advance(HEADER_TIMEOUT_S)
    browser.read()
    assert "<connection-timeout " in browser.messages[1]


def test_a_connection_that_breaks(network: Network, browser: Browser) -> None:
    browser.say(OPEN)
    browser.drop()
    assert network.servers[MONTAGUE].streams.streams == {}
    network.advance(REST_AFTER_S)  # the last look at its streams
    assert network.clock.getDelayedCalls() == []
