"""Listening and connecting in the simulated network."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.error import CannotListenError, ConnectionLost, ConnectionRefusedError, TimeoutError, UserError

from tests.unit.virtual.ends import HERE, PORT, THERE, Pair


def test_nobody_listens() -> None:
    pair = Pair()
    pair.connect()
    pair.run(1)
    assert pair.clients.failed == [ConnectionRefusedError]
    assert not pair.clients.is_started
    assert not pair.here.connections


def test_nobody_answers() -> None:
    pair = Pair()
    pair.listen()
    pair.network.cut(HERE, THERE)
    connector = pair.connect(timeout=10)
    pair.run(9.9)
    assert pair.clients.failed == []
    pair.run(10)
    assert pair.clients.failed == [TimeoutError]
    connector.connect()
    pair.network.mend(HERE, THERE)
    pair.run(12)
    assert len(pair.clients.ends) == 1


def test_a_try_can_be_given_up() -> None:
    pair = Pair()
    pair.listen()
    connector = pair.connect()
    pair.run(0.7)
    connector.disconnect()
    pair.settle()
    assert pair.clients.failed == [UserError]
    [server] = pair.servers.ends
    assert server.lost is ConnectionLost
    assert not pair.here.connections


def test_a_port_is_taken_once_and_free_when_it_is_closed() -> None:
    pair = Pair()
    port = pair.listen()
    with pytest.raises(CannotListenError):
        pair.there.listenTCP(PORT, pair.servers)
    port.stopListening()
    assert not pair.servers.is_started
    assert pair.there.listenTCP(0, pair.servers).getHost().port >= 49_152
    pair.there.listenTCP(PORT, pair.servers)


def test_twisteds_endpoints_work() -> None:
    pair = Pair()
    opened: list[Any] = []
    there: Any = TCP4ServerEndpoint(pair.there, PORT)
    here: Any = TCP4ClientEndpoint(pair.here, THERE, PORT)
    there.listen(pair.servers).addCallback(opened.append)
    here.connect(pair.clients).addCallback(opened.append)
    pair.settle()
    [port, client] = opened
    client.transport.write(b"x")
    pair.settle()
    assert pair.servers.ends[0].data == b"x"
    port.stopListening()
