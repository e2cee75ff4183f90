"""The time that peers have: it does not run out while it is the server who is behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cluster.server.c2s.client_stream import HEADER_TIMEOUT_S, LOGIN_TIMEOUT_S
from cluster.streams.peer_clock import TICK_S, PeerClock
from cluster.xmpp.namespaces import REGISTER
from tests.helpers import HEADER
from tests.network import MONTAGUE, Network
from tests.unit.xmpp.spoken import BINDING, PLAIN, bind

FORM = f"<iq type='get' id='1'><query xmlns='{REGISTER}'/></iq>"


def test_what_was_sent_in_time_is_read_in_time(network: Network) -> None:
    """Its bytes lie in the socket while the server does something else for longer than a client has."""
    connection = network.connect()
    connection.send(HEADER)
    network.hang(5 * HEADER_TIMEOUT_S)
    assert b"<stream:features" in connection.output


def test_each_step_of_a_login_may_wait_for_the_server(network: Network) -> None:
    network.account("romeo@montague.lit")
    connection = network.connect()
    for step in (*BINDING, bind("pda")):
        connection.send(step)
        network.hang(LOGIN_TIMEOUT_S)
    assert b"romeo@montague.lit/pda" in connection.output


def test_a_server_that_is_behind_still_ends_what_is_silent(network: Network) -> None:
    connection = network.connect()
    for _ in range(int(HEADER_TIMEOUT_S / TICK_S)):
        assert not connection.is_closed
        network.hang(7)
    assert b"<connection-timeout " in connection.output


def test_a_stream_that_registers_is_not_ended() -> None:
    """Somebody chooses a name and a password, which takes longer than a login by a program."""
    network = Network(registration=True)
    connection = network.connect()
    network.say(connection, HEADER)
    for _ in range(3):
        network.advance(LOGIN_TIMEOUT_S - 1)
        network.say(connection, FORM)
        assert not connection.is_closed
    network.advance(LOGIN_TIMEOUT_S)
    assert b"<connection-timeout " in connection.output


def test_what_is_refused_gives_no_more_time() -> None:
    network = Network(registration=True)
    connection = network.connect()
    network.say(connection, HEADER)
    network.advance(LOGIN_TIMEOUT_S - 1)
    network.say(connection, FORM.replace("get", "set"))
    assert b"<not-acceptable " in connection.output
    network.advance(1)
    assert b"<connection-timeout " in connection.output


def test_the_time_of_a_client_that_waits_for_the_server_stands_still(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage hangs: a client that asks for nothing but its answer is not to blame."""
    asked: Deferred[bool] = Deferred()
    monkeypatch.setattr(network.servers[MONTAGUE].domain.credentials, "check", lambda *login: asked)
    network.account("romeo@montague.lit")
    connection = network.connect()
    network.say(connection, HEADER + PLAIN)
    network.advance(3 * LOGIN_TIMEOUT_S)
    assert not connection.is_closed
    asked.callback(True)
    network.settle()
    assert b"<success" in connection.output
    network.advance(LOGIN_TIMEOUT_S)
    assert b"<connection-timeout " in connection.output


def test_nothing_is_read_ahead_of_an_answer(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that goes on while its login is checked waits, so that what it sends is not kept without a bound."""
    asked: Deferred[bool] = Deferred()
    monkeypatch.setattr(network.servers[MONTAGUE].domain.credentials, "check", lambda *login: asked)
    connection = network.connect()
    network.say(connection, HEADER + PLAIN)
    assert connection.wire.producerState == "producing"
    network.say(connection, "<presence/>" * 10)
    assert connection.wire.producerState == "paused"
    asked.callback(False)
    network.settle()
    assert connection.wire.producerState != "paused"


class Calls:
    """When they were called."""

    def __init__(self, clock: Clock) -> None:
        self.at: list[tuple[str, float]] = []
        self._clock = clock

    def __call__(self, name: str) -> Callable[[], None]:
        return lambda: self.at.append((name, self._clock.seconds()))


def test_a_clock_that_keeps_up_is_a_clock() -> None:
    clock = Clock()
    peers, calls = PeerClock(clock), Calls(clock)
    for name, after_s in (("b", 2.5), ("a", 1.25), ("c", 2.5)):
        peers.callLater(after_s, calls(name))
    peers.callLater(1.5, calls("never")).cancel()
    clock.pump([0.25] * 3)
    peers.callLater(1.0, calls("late"))
    clock.pump([0.25] * 20)
    assert calls.at == [("a", 1.25), ("late", 1.75), ("b", 2.5), ("c", 2.5)]
    assert clock.getDelayedCalls() == []


def test_nothing_ticks_for_nobody() -> None:
    clock = Clock()
    peers = PeerClock(clock)
    calls = [peers.callLater(10, lambda: None) for _ in range(3)]
    for call in calls:
        assert call.active()
        call.cancel()
        call.cancel()
        assert not call.active()
    assert clock.getDelayedCalls() == []
