"""Acknowledgements (XEP-0198) on both sides of a component's stream."""

from __future__ import annotations

import pytest

from cluster.xmpp.namespaces import COMPONENT, SM, STREAMS
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams.component import Acknowledged, ComponentState, ConnectingStream, Joined, handshake
from tests.unit.xmpp.component_streams import (
    HANDSHAKE,
    HEADER,
    PHONE,
    ROMEO,
    SECRET,
    SMS,
    Peer,
    connected,
    joined,
    pump,
)

FEATURES = HEADER.replace(" to=", " version='1.0' to=")


def test_stream_management_is_offered_to_who_knows_features() -> None:
    """RFC 6120 section 4.7.5; see also test_a_component_joins for one that does not."""
    peer = Peer()
    answer = peer.say(FEATURES)
    assert " version='1.0' " in answer
    assert answer.endswith(f"<stream:features><sm xmlns='{SM}'/></stream:features>")
    assert peer.say(HANDSHAKE) == "<handshake/>"
    assert peer.say(f"<enable xmlns='{SM}' resume='true'/>") == f"<enabled xmlns='{SM}'/>"  # no id: no resumption
    assert peer.say(f"<r xmlns='{SM}'/>") == f"<a xmlns='{SM}' h='0'/>"


def test_a_stanza_is_acknowledged_when_it_is_safe() -> None:
    peer = Peer()
    peer.say(FEATURES, HANDSHAKE, f"<enable xmlns='{SM}'/>")
    waits = object()
    peer.say(f"<message from='{PHONE}' to='{ROMEO}'/>" * 2)
    assert not peer.stream.received(None)
    assert peer.stream.received(waits)
    assert peer.say(f"<r xmlns='{SM}'/>") == f"<a xmlns='{SM}' h='1'/>"
    peer.stream.settled(waits)
    assert peer.say("") == f"<a xmlns='{SM}' h='2'/>"


def test_what_was_sent_is_acknowledged() -> None:
    component, server = connected()
    message = make("message", from_=ROMEO, to=PHONE)
    for _ in range(3):
        server.send(message)
    component.receive_data(server.data_to_send())
    for count, event in enumerate(component.events(), 1):
        assert isinstance(event, Stanza)
        component.received(None if count < 3 else event)
    server.receive_data(component.data_to_send())
    assert list(server.events()) == [Acknowledged(1)]  # asked after the first; the others were not there yet
    assert pump(component, server) == [Acknowledged(1)]
    component.settled(event)
    assert pump(component, server) == [Acknowledged(1)]


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (f"<a xmlns='{SM}' h='1'/>", "undefined-condition"),  # section 6: more than there were
        (f"<a xmlns='{SM}' h='-1'/>", "bad-format"),
        (f"<a xmlns='{SM}'/>", "bad-format"),
        (f"<enable xmlns='{SM}'/>", "unsupported-stanza-type"),  # a second time
        (f"<resume xmlns='{SM}' previd='x' h='0'/>", "unsupported-stanza-type"),
        (f"<junk xmlns='{SM}'/>", "unsupported-stanza-type"),
    ],
)
def test_what_stream_management_does_not_know(sent: str, condition: str) -> None:
    peer = Peer()
    peer.say(FEATURES, HANDSHAKE, f"<enable xmlns='{SM}'/>")
    assert f"<{condition} " in peer.say(sent)
    assert peer.stream.state is ComponentState.CLOSED


@pytest.mark.parametrize("sent", ["enable", "r", "a h='0'"])
def test_who_was_not_offered_it_cannot_use_it(sent: str) -> None:
    peer = joined()
    assert "<unsupported-stanza-type " in peer.say(f"<{sent} xmlns='{SM}'/>")


@pytest.mark.parametrize(
    "answer",
    [
        f"<stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}' id='1'>",
        f"<stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}' id='1' version='1.0'><stream:features/>",
    ],
)
def test_a_server_that_does_not_offer_it(answer: str) -> None:
    component = ConnectingStream(SMS, SECRET)
    component.data_to_send()
    component.receive_data(answer.encode())
    assert list(component.events()) == []
    assert component.data_to_send() == f"<handshake>{handshake('1', SECRET)}</handshake>".encode()
    component.receive_data(b"<handshake/>")
    assert list(component.events()) == [Joined()]
    component.send(make("message", from_=PHONE, to=ROMEO))
    assert SM.encode() not in component.data_to_send()


def test_a_server_that_thinks_better_of_it() -> None:
    """Section 3: the stream goes on without, so nothing waits for an acknowledgement."""
    component = ConnectingStream(SMS, SECRET)
    header = f"<stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}' id='1' version='1.0'>"
    offer = f"<stream:features><sm xmlns='{SM}'/></stream:features><handshake/>"
    component.receive_data((header + offer).encode())
    assert list(component.events()) == [Joined()]
    component.send(make("message", from_=PHONE, to=ROMEO))
    component.receive_data(f"<failed xmlns='{SM}'/>".encode())
    assert list(component.events()) == [Acknowledged(1)]
    component.data_to_send()
    component.send(make("message", from_=PHONE, to=ROMEO))
    assert b"<r " not in component.data_to_send()
