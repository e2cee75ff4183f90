"""Who says much at once is heard in turns with everybody else, on every kind of stream."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionType
from wsproto.events import Ping, TextMessage

from cluster.server.c2s.websocket import MAX_FRAMES_AT_ONCE, WebSocket, WebSockets
from cluster.streams.connection import MAX_AT_ONCE
from cluster.xmpp.namespaces import CLIENT, FRAMING
from tests.client import Wire
from tests.helpers import HEADER
from tests.network import MONTAGUE, Network
from tests.unit.server.component_network import PHONE, join, with_components
from tests.unit.xmpp.spoken import REGISTRATION

COUNT = 5 * MAX_AT_ONCE + 1
DISCO = "<iq type='get' id='d'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"


bridged = pytest.fixture(with_components)


def _flood(name: str, count: int = COUNT) -> str:
    return "".join(f"<message to='juliet@capulet.lit/x' id='{n}'><body>{name}</body></message>" for n in range(count))


def _turn(network: Network) -> None:
    """One turn of the reactor: what is due now, not what comes of that, and a read and a write of each connection."""
    calls: Any = network.clock.getDelayedCalls()
    for call in [call for call in calls if call.getTime() <= network.clock.seconds()]:
        what = partial(call.func, *call.args, **call.kw)
        call.cancel()
        what()
    for connection in network.connections:
        connection.pump()


def test_another_client_is_answered_between_what_one_asks_at_once(network: Network) -> None:
    romeo, other = network.client("romeo@montague.lit/x"), network.client("mercutio@montague.lit/x")
    romeo.send(DISCO * COUNT)
    other.send(DISCO)
    while not other.stanzas:
        _turn(network)
    assert len(romeo.stanzas) <= 3 * MAX_AT_ONCE
    network.settle()
    assert len(romeo.stanzas) == COUNT


def test_also_before_the_login() -> None:
    network = Network(registration=True)
    stranger = network.connect()
    network.say(stranger, HEADER)
    stranger.send(REGISTRATION * COUNT)
    stranger.pump()
    assert stranger.output.count(b"</iq>") <= MAX_AT_ONCE
    network.settle()
    assert stranger.output.count(b"</iq>") == COUNT


def test_order_and_the_end_behind_it_are_kept(network: Network) -> None:
    romeo, juliet = network.client("romeo@montague.lit/x"), network.online("juliet@capulet.lit/x")
    network.say(romeo, _flood("hello") + "</stream:stream>")
    assert [stanza.get("id") for stanza in juliet.stanzas] == [str(n) for n in range(COUNT)]
    assert romeo.is_closed


def test_what_came_before_the_connection_was_lost_counts(network: Network) -> None:
    romeo, juliet = network.client("romeo@montague.lit/x"), network.online("juliet@capulet.lit/x")
    romeo.send(_flood("hello"))
    romeo.pump()
    romeo.drop()
    network.settle()
    assert [stanza.get("id") for stanza in juliet.stanzas] == [str(n) for n in range(COUNT)]


def test_a_stream_that_fails_behind_a_full_share_is_told_so(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/x")
    network.say(romeo, DISCO * MAX_AT_ONCE + "<a></b>")
    assert len(romeo.stanzas) == MAX_AT_ONCE
    assert b"<not-well-formed" in romeo.output


def _browser(network: Network) -> tuple[Frames, Wire, WebSocket]:
    frames, wire = Frames(ConnectionType.CLIENT), Wire()
    socket = WebSockets(network.servers[MONTAGUE].streams, False).buildProtocol(None)
    socket.makeConnection(wire)
    socket.dataReceived(frames.send(TextMessage(f"<open xmlns='{FRAMING}' to='{MONTAGUE}' version='1.0'/>")))
    network.settle()
    wire.take()
    return frames, wire, socket


def test_many_frames_of_a_websocket_are_no_way_around() -> None:
    network = Network(registration=True)
    frames, wire, socket = _browser(network)
    request = REGISTRATION.replace("<iq ", f"<iq xmlns='{CLIENT}' ")
    socket.dataReceived(b"".join(frames.send(TextMessage(request)) for _ in range(COUNT)))
    assert wire.written.count(b"</iq>") <= MAX_AT_ONCE
    network.settle()
    assert wire.written.count(b"</iq>") == COUNT


def test_frames_that_say_nothing_are_read_in_turns(network: Network) -> None:
    frames, wire, socket = _browser(network)
    count = 3 * MAX_FRAMES_AT_ONCE
    socket.dataReceived(b"".join(frames.send(Ping()) for _ in range(count)))
    socket.dataReceived(frames.send(Ping()))
    assert wire.producerState == "paused"
    assert wire.written.count(b"\x8a") == MAX_FRAMES_AT_ONCE
    network.settle()
    assert wire.written.count(b"\x8a") == count + 1
    assert wire.producerState == "producing"


def test_a_component_is_heard_in_turns_too(bridged: Network) -> None:
    romeo, phone = bridged.client("romeo@montague.lit/x"), join(bridged)
    ping = f"<iq from='{PHONE}' to='{MONTAGUE}' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"
    phone.send(ping * COUNT)
    romeo.send(DISCO)
    while not romeo.stanzas:
        _turn(bridged)
    assert len(phone.stanzas) <= 3 * MAX_AT_ONCE
    bridged.settle()
    assert len(phone.stanzas) == COUNT
