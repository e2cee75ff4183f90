"""Connections of the simulated network: bytes in order, time, buffers, TLS."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone

from cluster.virtual.sockets import SOCKET
from cluster.virtual.transport import BUFFER_BYTES
from cluster.virtual.wire import Wire
from tests.unit.virtual.ends import HERE, THERE, Pair


def test_a_connection_takes_a_round_trip_and_data_half_of_one() -> None:
    pair = Pair(Wire(latency_s=0.5))
    pair.listen()
    pair.connect()
    pair.run(0.5)
    assert (len(pair.servers.ends), len(pair.clients.ends)) == (1, 0)
    pair.run(1.0)
    [client], [server] = pair.clients.ends, pair.servers.ends
    client.transport.write(b"hello")
    pair.run(1.4)
    assert server.data == b""
    pair.run(1.5)
    assert server.data == b"hello"
    assert server.transport.getPeer() == client.transport.getHost()
    assert client.transport.getPeer().host == THERE


def test_bandwidth_is_shared_and_jitter_keeps_the_order() -> None:
    pair = Pair(Wire(latency_s=0.5, bytes_per_s=1_000, jitter_s=0.3))
    client, server = pair.joined()
    start_s = pair.timeline.seconds()
    for number in range(10):
        client.transport.write(bytes([number]) * 100)
    pair.run(start_s + 1.45)
    assert len(server.segments) < 10
    pair.run(start_s + 1.85)
    assert server.segments == [bytes([number]) * 100 for number in range(10)]


WIRES = st.builds(
    Wire,
    latency_s=st.sampled_from([0.0, 0.001, 0.2]),
    jitter_s=st.sampled_from([0.0, 0.5]),
    bytes_per_s=st.sampled_from([0, 5_000]),
    segment_bytes=st.sampled_from([7, 1_000, 65_536]),
    window_bytes=st.sampled_from([50, 3_000, 262_144]),
)
STEPS = st.lists(
    st.tuples(
        st.booleans(),  # which end
        st.sampled_from(["write", "pause", "resume", "cut", "mend", "run", "run"]),
        st.integers(1, 1_500),
    ),
    max_size=20,
)


@given(WIRES, STEPS, st.booleans())
def test_every_byte_arrives_in_order_unless_the_connection_is_reset(
    wire: Wire, steps: list[tuple[bool, str, int]], closes: bool
) -> None:
    pair = Pair(wire)
    ends = pair.joined()
    written = [bytearray(), bytearray()]
    for end, what, size in steps:
        if what == "write":
            data = bytes(len(written[end]) + place & 255 for place in range(size))
            written[end] += data
            ends[end].transport.write(data)
        elif what == "run":
            pair.run(pair.timeline.seconds() + size / 1_000)
        elif what in ("cut", "mend"):
            getattr(pair.network, what)(HERE, THERE)
        else:
            getattr(ends[end].transport, f"{what}Producing")()
        for each in ends:
            assert each.transport.in_flight_bytes <= wire.window_bytes
    pair.network.mend(HERE, THERE)
    for end in ends:
        end.transport.resumeProducing()
    pair.settle()
    if closes:
        ends[0].transport.loseConnection()
        pair.settle()
        assert [end.lost for end in ends] == [ConnectionDone, ConnectionDone]
        assert pair.here.connections == pair.there.connections == 0
    assert [ends[1].data, ends[0].data] == written


@given(st.integers(1_000, 70_000), st.sampled_from([5_000, 262_144]))
def test_a_producer_that_pauses_when_it_is_told_bounds_what_waits(size: int, window: int) -> None:
    pair = Pair(Wire(latency_s=0.01, window_bytes=window))
    client, server = pair.joined()
    client.transport.registerProducer(client, True)
    server.transport.pauseProducing()
    written = 0
    for _ in range(100):
        while client.is_writable and written < 500_000:
            client.transport.write(b"x" * size)
            written += size
            assert client.transport.in_flight_bytes + client.transport.unsent_bytes <= window + BUFFER_BYTES + size
        pair.run(pair.timeline.seconds() + 1)
    assert server.data == b""
    server.transport.resumeProducing()
    while written < 500_000 or client.transport.unsent_bytes:
        pair.run(pair.timeline.seconds() + 60)
        assert client.is_writable, "it is told when all is sent"
        if written < 500_000:
            client.transport.write(b"x" * size)
            written += size
    pair.settle()
    assert len(server.data) == written


def test_a_pull_producer_is_asked_for_more_each_time_all_is_sent() -> None:
    pair = Pair()
    client, server = pair.joined()

    class Puller:
        left = 5

        def resumeProducing(self) -> None:
            if self.left:
                self.left -= 1
                client.transport.write(b"x")
            else:
                client.transport.unregisterProducer()
                client.transport.loseConnection()

        def stopProducing(self) -> None:
            pass

    client.transport.registerProducer(Puller(), False)
    pair.settle()
    assert (server.data, server.lost) == (b"xxxxx", ConnectionDone)


def test_a_cut_holds_what_is_sent_and_lets_it_through_when_it_is_mended() -> None:
    pair = Pair()
    client, server = pair.joined()
    client.transport.write(b"under way, ")
    pair.network.cut(HERE, THERE)
    client.transport.write(b"held, ")
    pair.settle()
    assert server.data == b"under way, "
    client.transport.write(b"then this")
    pair.network.mend(HERE, THERE)
    pair.settle()
    assert server.data == b"under way, held, then this"


def test_a_paused_process_reads_what_came_when_it_goes_on() -> None:
    pair = Pair(Wire(latency_s=0.5, window_bytes=10))
    client, server = pair.joined()
    pair.there.pause()
    client.transport.write(b"0123456789abc")
    pair.settle()
    assert (server.data, client.transport.unsent_bytes) == (b"", 3)
    pair.there.resume()
    pair.settle()
    assert server.data == b"0123456789abc"


def test_tls_takes_a_round_trip_and_both_ends_share_its_bindings() -> None:
    pair = Pair()
    client, server = pair.joined()
    start_s, sent = pair.timeline.seconds(), pair.network.sent_bytes
    server.transport.startTLS(None)
    client.transport.startTLS(None)
    client.transport.write(b"behind the handshake")
    pair.run(start_s + 0.9)
    assert not client.is_secure
    pair.run(start_s + 1.0)
    assert client.is_secure
    assert not server.is_secure
    pair.settle()
    assert server.is_secure
    assert server.data == b"behind the handshake"
    assert pair.network.sent_bytes - sent > 3_000
    bindings = [end.transport.getHandle().export_keying_material(b"x", 32) for end in (client, server)]
    assert bindings[0] == bindings[1]
    other, _ = pair.joined()
    assert other.transport.getHandle() is SOCKET, "there is no TLS"


def test_the_same_seed_gives_the_same_times() -> None:
    def times() -> list[float]:
        pair = Pair(Wire(jitter_s=1.0))
        client, server = pair.joined()
        came: list[float] = []
        server.dataReceived = lambda data: came.append(pair.timeline.seconds())
        for _ in range(20):
            client.transport.write(b"x")
            pair.run(pair.timeline.seconds() + 3)
        return came

    assert times() == times()
    assert len(set(times())) == 20
