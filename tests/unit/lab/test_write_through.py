"""The reactor of a lab's processes does for a connection what Twisted's own does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.python.failure import Failure

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has epoll")

MORE_THAN_A_SOCKET_TAKES = 20_000_000


@pytest.fixture
def reactor() -> Iterator[Any]:
    from cluster.lab.runtime.write_through import WriteThroughReactor

    made = WriteThroughReactor()
    yield made
    for selectable in made.removeAll():
        selectable.connectionLost(Failure(ConnectionDone()))
    made._poller.close()


class Peer(Protocol):
    """One end, which tells what happens to it."""

    def __init__(self, on_made: Callable[[Peer], None], on_data: Callable[[Peer, bytes], None]) -> None:
        self._on_made, self._on_data = on_made, on_data
        self.ended: Callable[[Failure], None] = lambda reason: None

    def connectionMade(self) -> None:
        self._on_made(self)

    def dataReceived(self, data: bytes) -> None:
        self._on_data(self, data)

    def connectionLost(self, reason: Failure) -> None:
        self.ended(reason)


def listen(reactor: Any, make: Callable[[], Peer]) -> Any:
    factory = Factory()
    factory.noisy = False
    factory.protocol = make
    return reactor.listenTCP(0, factory, interface="127.0.0.1")


def connect(reactor: Any, port: int, make: Callable[[], Peer], failed: Callable[[Failure], None]) -> None:
    factory = ClientFactory()
    factory.noisy = False
    factory.protocol = make
    factory.clientConnectionFailed = lambda connector, reason: failed(reason)
    reactor.connectTCP("127.0.0.1", port, factory)


def nothing(*_: object) -> None:
    pass


def run(reactor: Any) -> None:
    reactor.run(installSignalHandlers=False)


def test_what_the_system_does_not_take_at_once_arrives_whole(reactor: Any) -> None:
    sent = bytes(range(256)) * (MORE_THAN_A_SOCKET_TAKES // 256)
    received = bytearray()

    def take(peer: Peer, data: bytes) -> None:
        received.extend(data)
        if len(received) == len(sent):
            reactor.stop()

    port = listen(reactor, lambda: Peer(lambda peer: peer.transport.write(sent), nothing))
    connect(reactor, port.getHost().port, lambda: Peer(nothing, take), nothing)
    run(reactor)
    assert received == sent


def test_what_was_written_before_a_goodbye_arrives(reactor: Any) -> None:
    received = bytearray()

    def say_and_leave(peer: Peer) -> None:
        peer.transport.write(b"Parting is such ")
        peer.transport.write(b"sweet sorrow")
        peer.transport.loseConnection()

    def make() -> Peer:
        peer = Peer(nothing, lambda peer, data: received.extend(data))
        peer.ended = lambda reason: reactor.stop()
        return peer

    port = listen(reactor, lambda: Peer(say_and_leave, nothing))
    connect(reactor, port.getHost().port, make, nothing)
    run(reactor)
    assert received == b"Parting is such sweet sorrow"


def test_each_answers_the_other(reactor: Any) -> None:
    rounds = 0

    def answer(peer: Peer, data: bytes) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 100:
            reactor.stop()
        else:
            peer.transport.write(data)

    port = listen(reactor, lambda: Peer(lambda peer: peer.transport.write(b"O Romeo"), answer))
    connect(reactor, port.getHost().port, lambda: Peer(nothing, answer), nothing)
    run(reactor)
    assert rounds == 100


def test_a_connection_that_is_cut_while_it_has_something_to_write_is_over(reactor: Any) -> None:
    reasons: list[Failure] = []

    def write_and_cut(peer: Peer) -> None:
        peer.transport.write(b"never")
        peer.transport.abortConnection()

    def make() -> Peer:
        peer = Peer(write_and_cut, nothing)
        peer.ended = lambda reason: (reasons.append(reason), reactor.stop())
        return peer

    port = listen(reactor, lambda: Peer(nothing, nothing))
    connect(reactor, port.getHost().port, make, nothing)
    run(reactor)
    assert len(reasons) == 1


def test_nobody_listens(reactor: Any) -> None:
    port = listen(reactor, lambda: Peer(nothing, nothing))
    number = port.getHost().port
    reasons: list[Failure] = []

    def failed(reason: Failure) -> None:
        reasons.append(reason)
        reactor.stop()

    port.stopListening()
    reactor.callLater(0, connect, reactor, number, lambda: Peer(nothing, nothing), failed)
    run(reactor)
    assert reasons[0].check(ConnectionRefusedError)
