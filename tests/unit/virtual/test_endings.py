"""Each way in which a connection of the simulated network ends."""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, ConnectionRefusedError

from tests.network import watched_log
from tests.unit.virtual.ends import HERE, PORT, THERE, HalfEnd, Pair


def test_what_was_written_before_the_close_arrives_and_nothing_is_read_behind_it() -> None:
    pair = Pair()
    client, server = pair.joined()
    client.transport.write(b"last words")
    server.transport.write(b"on its way")
    client.transport.loseConnection()
    pair.settle()
    assert (server.data, server.lost) == (b"last words", ConnectionDone)
    assert (client.data, client.lost) == (b"", ConnectionDone)
    client.transport.write(b"too late")
    pair.settle()
    assert server.data == b"last words"


def test_a_close_with_unread_data_is_a_reset() -> None:
    """RFC 9293 section 3.6.1."""
    pair = Pair()
    client, server = pair.joined()
    server.transport.pauseProducing()
    client.transport.write(b"unread")
    pair.run(pair.timeline.seconds() + 1)
    server.transport.loseConnection()
    pair.settle()
    assert (client.lost, server.lost) == (ConnectionLost, ConnectionDone)


def test_a_half_closed_connection_goes_on_in_the_other_direction() -> None:
    pair = Pair(kind=HalfEnd)
    client, server = pair.joined()
    client.transport.write(b"all I have")
    client.transport.loseWriteConnection()
    client.transport.write(b"not this")
    pair.settle()
    assert (client.ended, server.ended, server.data) == ("w", "r", b"all I have")
    server.transport.write(b"answer")
    pair.settle()
    assert client.data == b"answer"
    server.transport.loseConnection()
    pair.settle()
    assert (server.lost, client.ended) == (ConnectionDone, "wr")
    client.transport.loseConnection()
    pair.settle()
    assert client.lost is ConnectionDone


def test_a_peer_that_knows_no_half_close_closes() -> None:
    pair = Pair()
    client, server = pair.joined()
    client.transport.loseWriteConnection()
    pair.settle()
    assert (client.lost, server.lost) == (ConnectionDone, ConnectionDone)


def test_an_aborted_connection_is_reset() -> None:
    pair = Pair()
    client, server = pair.joined()
    client.transport.abortConnection()
    client.transport.abortConnection()
    assert not client.lost, "not within the call"
    pair.settle()
    assert (client.lost, server.lost) == (ConnectionAborted, ConnectionLost)


def test_a_protocol_that_fails_loses_its_connection() -> None:
    pair = Pair()
    client, server = pair.joined()
    server.dataReceived = lambda data: 1 / 0
    client.transport.write(b"x")
    with watched_log() as failures:
        pair.settle()
    assert (len(failures), server.lost, client.lost) == (1, ZeroDivisionError, ConnectionLost)


def test_a_killed_process_resets_its_connections_and_frees_its_ports() -> None:
    pair = Pair()
    client, server = pair.joined()
    server.transport.write(b"sent before")
    pair.there.crash()
    client.transport.write(b"nobody reads this")
    pair.settle()
    assert (client.data, client.lost) == (b"sent before", ConnectionLost)
    assert (server.data, server.lost) == (b"", None), "there is nobody who could notice"
    pair.connect()
    pair.settle()
    assert pair.clients.failed == [ConnectionRefusedError]
    pair.network.host(THERE).listenTCP(PORT, pair.servers)
    pair.connect()
    pair.settle()
    assert len(pair.servers.ends) == 2


def test_a_process_that_is_killed_behind_a_cut_is_found_out_when_it_is_spoken_to() -> None:
    pair = Pair()
    client, _ = pair.joined()
    pair.network.cut(HERE, THERE)
    pair.there.crash()
    pair.network.mend(HERE, THERE)
    pair.settle()
    assert client.lost is None, "nobody told it"
    client.transport.write(b"are you there?")
    pair.settle()
    assert client.lost is ConnectionLost


def test_a_machine_without_power_says_nothing_until_it_is_back() -> None:
    pair = Pair()
    client, _ = pair.joined()
    pair.network.lose_power(THERE)
    pair.there.crash()
    client.transport.write(b"are you there?")
    pair.connect()
    pair.run(pair.timeline.seconds() + 5)
    assert (client.lost, pair.clients.failed) == (None, [])
    pair.network.host(THERE).listenTCP(PORT, pair.servers)
    pair.network.regain_power(THERE)
    pair.settle()
    assert client.lost is ConnectionLost
    assert len(pair.clients.ends) == 2


def test_what_was_under_way_to_it_is_sent_again_and_refused() -> None:
    pair = Pair()
    client, _ = pair.joined()
    client.transport.write(b"hello")
    pair.network.lose_power(THERE)
    pair.there.crash()
    pair.settle()
    assert client.lost is None
    pair.network.regain_power(THERE)
    pair.settle()
    assert client.lost is ConnectionLost


def test_a_host_that_moves_loses_its_connections_without_a_word() -> None:
    pair = Pair()
    client, server = pair.joined()
    client.transport.write(b"before")
    pair.settle()
    pair.here.move("10.0.0.3")
    client.transport.write(b"after")
    server.transport.write(b"to nobody")
    pair.run(pair.timeline.seconds() + 60)
    assert (client.lost, server.lost, server.data, client.data) == (None, None, b"before", b"")
    assert (pair.here.connections, pair.there.connections) == (0, 1)
    server.transport.abortConnection()
    pair.settle()
    assert (client.lost, server.lost) == (None, ConnectionAborted)


def test_a_host_connects_from_where_it_is_now() -> None:
    pair = Pair()
    pair.joined()
    pair.here.move("10.0.0.3")
    _, server = pair.joined()
    assert server.transport.getPeer().host == "10.0.0.3"
