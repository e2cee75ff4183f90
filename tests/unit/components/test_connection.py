"""A component's connection: it comes back by itself, and loses nothing that was not written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import formatEvent, globalLogPublisher

from cluster.base.backoff import Backoff
from cluster.components.connection import (
    FIRST_RETRY_S,
    JOIN_TIMEOUT_S,
    LONGEST_RETRY_S,
    LOOK_S,
    MAX_UNSETTLED,
    MAX_WAITING,
    SILENT_LOOKS,
    Overloaded,
)
from cluster.gateways.repetition import key_of
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, COMPONENT, SM, STREAMS
from cluster.xmpp.stanza import Stanza, make
from tests.network import MONTAGUE, at_once, watched_log
from tests.unit.components.plain import PHONE, GatewayNetwork


@pytest.fixture
def network() -> Iterator[GatewayNetwork]:
    with watched_log() as failures:
        yield GatewayNetwork()
    assert not failures


def said(text: str) -> Stanza:
    body = Element(f"{{{CLIENT}}}body")
    body.text = text
    to = Jid.parse("romeo@montague.lit")
    return make("message", from_=Jid.parse(PHONE), to=to, type="chat", payload=[body])


def test_it_waits_for_a_server_that_is_not_there_yet(network: GatewayNetwork) -> None:
    network.endpoint.is_down = True
    network.start()
    for number in range(10):
        pause_s = min(FIRST_RETRY_S * 2**number, LONGEST_RETRY_S)
        network.advance(pause_s - 0.01)
        assert network.endpoint.attempts == number + 1
        network.advance(0.01 + 1e-6)
        assert network.endpoint.attempts == number + 2
    network.endpoint.is_down = False
    network.advance(LONGEST_RETRY_S)
    assert network.connection.is_joined
    network.endpoint.cable.drop()
    network.advance(FIRST_RETRY_S)  # it begins anew
    assert network.connection.is_joined


def test_the_log_names_the_component_that_tries_again(network: GatewayNetwork) -> None:
    network.endpoint.is_down = True
    lines: list[str] = []
    observer: Any = lambda event: lines.append(formatEvent(event))  # noqa: E731
    globalLogPublisher.addObserver(observer)
    try:
        network.start()
        network.advance(FIRST_RETRY_S)
    finally:
        globalLogPublisher.removeObserver(observer)
    assert [line for line in lines if "retry" in line] == [
        f"Scheduling retry {number} to connect component sms.montague.lit to its server in {pause_s} seconds."
        for number, pause_s in ((1, FIRST_RETRY_S), (2, 2 * FIRST_RETRY_S))
    ]


def test_the_jitter_is_at_most_half(network: GatewayNetwork) -> None:
    network.endpoint.is_down = True
    network.connection._backoff = Backoff(FIRST_RETRY_S, LONGEST_RETRY_S, lambda: 0.0)
    network.start()
    network.advance(FIRST_RETRY_S / 2)
    assert network.endpoint.attempts == 2


def test_a_wrong_secret_is_tried_less_and_less_often() -> None:
    network = GatewayNetwork(secret="wrong")
    network.start()
    network.advance(FIRST_RETRY_S)
    assert network.endpoint.attempts == 2
    network.advance(FIRST_RETRY_S)
    assert network.endpoint.attempts == 2  # though there was a connection
    network.advance(FIRST_RETRY_S)
    assert network.endpoint.attempts == 3
    assert not network.connection.is_joined


def test_what_is_sent_while_the_server_is_away_waits(network: GatewayNetwork) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    settled = [network.connection.send(said("before the start"))]
    network.start()
    assert romeo.take() == [f"message/chat {PHONE}: before the start"]
    network.endpoint.is_down = True
    network.endpoint.cable.drop()
    settled += [network.connection.send(said(str(number))) for number in range(3)]
    network.settle()
    assert [each is not None and each.called for each in settled] == [True, False, False, False]
    network.endpoint.is_down = False
    network.advance(LONGEST_RETRY_S)
    assert [line[-1] for line in romeo.take()] == ["0", "1", "2"]
    assert all(each is not None and each.called for each in settled)
    network.connection.send(said("3"))
    network.settle()
    assert len(romeo.take()) == 1


def test_nothing_is_lost_on_both_ways_when_the_server_ends_the_stream(network: GatewayNetwork) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    network.start()
    network.servers[MONTAGUE].components.shut_down()
    network.settle()
    network.connection.send(said("from the gateway"))
    network.say(romeo, f"<message to='{PHONE}'><body>to the gateway</body></message>")
    assert network.gateway.messages == []
    network.advance(FIRST_RETRY_S)
    assert romeo.take() == [f"message/chat {PHONE}: from the gateway"]
    assert [message.tree.findtext(f"{{{CLIENT}}}body") for message in network.gateway.messages] == ["to the gateway"]


def test_it_has_settled_when_the_server_has_made_it_safe(network: GatewayNetwork) -> None:
    network.start()
    settled = network.connection.send(said("1"))
    assert settled is not None
    assert not settled.called
    network.settle()
    assert settled.called


def test_what_the_server_has_not_acknowledged_is_sent_again(network: GatewayNetwork) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    network.start()
    network.endpoint.cable.wire.pauseProducing()
    settled = [network.connection.send(said(str(number))) for number in range(3)]
    assert settled[1] is not None
    settled[1].addErrback(lambda failure: None)
    settled[1].cancel()  # its sender does not wait any longer
    network.settle()
    network.endpoint.cable.drop()
    settled.append(network.connection.send(said("3")))
    network.advance(FIRST_RETRY_S)
    assert [line[-1] for line in romeo.take()] == ["0", "2", "3"]
    assert all(each is not None and each.called for each in settled)


def test_the_server_is_told_what_the_gateway_has_made_safe(network: GatewayNetwork) -> None:
    network.start()
    romeo = network.online("romeo@montague.lit/pda")
    network.gateway.until = Deferred()  # it never gets so far: its process is killed
    network.say(romeo, f"<message to='{PHONE}'><body>1</body></message>")
    network.endpoint.cable.drop()
    network.gateway.until = None
    network.advance(FIRST_RETRY_S)
    assert len(network.gateway.messages) == 2
    network.endpoint.cable.drop()
    network.advance(FIRST_RETRY_S)
    assert len(network.gateway.messages) == 2
    first, second = network.gateway.messages
    assert key_of(first) == key_of(second) != ""


def test_a_server_that_knows_nothing_but_xep_0114(network: GatewayNetwork) -> None:
    """As those of others: no stream features, and an error for what is no stanza."""
    network.runtime.start()
    wire = network.endpoint.cable.near_wire
    assert wire.take().startswith(b"<?xml")
    near = network.endpoint.cable.near
    near.dataReceived(f"<stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}' id='1'>".encode())
    assert wire.take().startswith(b"<handshake>")
    near.dataReceived(b"<handshake/>")
    assert network.connection.send(said("1")) is None
    written = wire.take()
    assert written.endswith(b"<body>1</body></message>")
    assert SM.encode() not in written


def test_when_the_server_does_not_read_stanzas_wait_too(network: GatewayNetwork) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    network.start()
    network.endpoint.cable.wire.pauseProducing()
    big = "x" * 50_000
    settled = [network.connection.send(said(big)) for _ in range(8)]
    network.settle()
    assert settled[-1] is not None
    assert not settled[-1].called
    network.endpoint.cable.wire.resumeProducing()
    network.settle()
    assert len(romeo.take()) == 8
    assert settled[-1].called


def test_so_many_wait(network: GatewayNetwork) -> None:
    for number in range(MAX_WAITING):
        network.connection.send(said(str(number)))
    with pytest.raises(Overloaded, match=r"1000 stanzas wait for the server of sms\.montague\.lit"):
        network.connection.send(said("too much"))
    romeo = network.online("romeo@montague.lit/pda")
    network.start()
    assert [line.rpartition(" ")[2] for line in romeo.take()] == [str(number) for number in range(MAX_WAITING)]


def test_a_stanza_can_be_taken_back(network: GatewayNetwork) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    first, second = network.connection.send(said("1")), network.connection.send(said("2"))
    assert first is not None
    assert second is not None
    first.addErrback(lambda failure: None)
    first.cancel()
    network.start()
    assert romeo.take() == [f"message/chat {PHONE}: 2"]


def test_a_server_that_says_nothing(network: GatewayNetwork) -> None:
    network.runtime.start()
    network.endpoint.cable.wire.pauseProducing()
    network.settle()
    network.advance(JOIN_TIMEOUT_S)
    assert network.endpoint.cable.is_closed
    network.advance(FIRST_RETRY_S)
    assert network.connection.is_joined


def test_a_server_that_says_nothing_more(network: GatewayNetwork) -> None:
    """Its machine has lost its power: there is no reset."""
    network.start()
    network.advance(60)
    assert network.connection.is_joined, "it was asked, and it answered"
    cable = network.endpoint.cable
    cable.wire.pauseProducing()
    network.advance((SILENT_LOOKS + 1) * LOOK_S)
    assert cable.is_closed


def test_a_flood_is_not_read_while_the_gateway_is_busy(network: GatewayNetwork) -> None:
    network.start()
    network.gateway.until = Deferred()
    romeo = network.client("romeo@montague.lit/pda")
    body = "x" * 10_000
    count = 5 * MAX_UNSETTLED
    for _ in range(count):
        network.say(romeo, f"<message to='{PHONE}'><body>{body}</body></message>")
    taken = len(network.gateway.messages)
    assert MAX_UNSETTLED <= taken < count
    until, network.gateway.until = network.gateway.until, None
    until.callback(None)
    network.settle()
    assert len(network.gateway.messages) == count
    assert romeo.take() == []


def test_the_end(network: GatewayNetwork) -> None:
    network.start()
    cable = network.endpoint.cable
    stopped = Deferred.fromCoroutine(network.runtime.stop())
    network.settle()
    assert stopped.called
    assert cable.is_closed
    network.advance(LONGEST_RETRY_S)
    assert network.endpoint.attempts == 1


def test_what_still_waits_at_the_end_is_reported(network: GatewayNetwork) -> None:
    settled = network.connection.send(said("1"))
    assert settled is not None
    told: list[Any] = []
    settled.addBoth(told.append)
    at_once(network.runtime.stop())
    assert told[0].check(CancelledError)


def test_a_trace_goes_through_the_gateway(network: GatewayNetwork) -> None:
    network.start()
    romeo = network.online("romeo@montague.lit/pda")
    network.say(romeo, f"<message to='{PHONE}'><probe xmlns='urn:xmpplab:trace:0' id='t1'/></message>")
    [message] = network.gateway.messages
    assert message.trace_id == "t1"
    network.connection.send(msgspec.structs.replace(said("back"), trace_id="t1"))
    network.settle()
    assert [(hop.node, hop.event) for hop in network.hops] == [("g1", "received"), ("g1", "sent")]
    events = [hop.event for hop in network.servers[MONTAGUE].journal if hop.trace_id == "t1"]
    assert events == ["received", "delivered", "received", "delivered"]
