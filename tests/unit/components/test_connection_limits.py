"""What a component's connection refuses before it is sent, since the server would end the stream for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.components import connection
from cluster.components.connection import LONGEST_RETRY_S, NotCarried, Overloaded
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.limits import ENTERING_BYTES, FROM_CLIENT
from cluster.xmpp.namespaces import CLIENT
from tests.network import watched_log
from tests.unit.components.plain import PHONE, GatewayNetwork
from tests.unit.components.test_connection import said


@pytest.fixture
def network() -> Iterator[GatewayNetwork]:
    with watched_log() as failures:
        yield GatewayNetwork()
    assert not failures


@pytest.mark.parametrize(
    ("body", "is_carried"),
    [("&" * 64_770, True), ("&" * 100_000, False), ("x" * ENTERING_BYTES, False), ("\x9b\0", False)],
)
def test_what_the_server_would_not_take_ends_no_stream(network: GatewayNetwork, body: str, is_carried: bool) -> None:
    """64,770 octets are the longest text of short messages; each `&` takes five bytes."""
    network.start()
    romeo = network.online("romeo@montague.lit/pda")
    if is_carried:
        network.connection.send(said(body))
    else:
        with pytest.raises(NotCarried):
            network.connection.send(said(body))
    network.connection.send(said("next"))
    network.settle()
    bodies = [each.findtext(f"{{{CLIENT}}}body") for each in romeo.stanzas if each.tag.endswith("}message")]
    assert bodies == ([body] if is_carried else []) + ["next"]
    assert network.endpoint.attempts == 1


def test_an_error_for_the_largest_message_that_a_client_may_send(network: GatewayNetwork) -> None:
    """It was sent with all of the message in it, which ended the stream; the message came again, and so on."""
    network.gateway.failure = StanzaError(Condition.NOT_ACCEPTABLE)
    network.start()
    romeo = network.online("romeo@montague.lit/pda")
    begin, end = f"<message to='{PHONE}' id='m1'><body>", "</body></message>"
    network.say(romeo, begin + "x" * (FROM_CLIENT.max_bytes - len(begin + end)) + end)
    [error] = romeo.stanzas
    assert error_of_element(error) == "not-acceptable"
    assert network.endpoint.attempts == 1


def error_of_element(stanza: Element) -> str:
    return next(child.tag.rpartition("}")[2] for child in stanza.iterfind(f"{{{CLIENT}}}error/*"))


def test_what_waits_is_bounded_in_bytes(network: GatewayNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_WAITING_BYTES", 10_000)
    network.endpoint.is_down = True
    network.start()
    taken = [network.connection.send(said("x" * 3_000)) for _ in range(3)]
    with pytest.raises(Overloaded):
        network.connection.send(said("x" * 3_000))
    assert taken[0] is not None
    taken[0].addErrback(lambda failure: None).cancel()
    network.endpoint.is_down = False
    network.advance(LONGEST_RETRY_S)
    assert network.connection._waiting_bytes == 0
    network.connection.send(said("x" * 3_000))
