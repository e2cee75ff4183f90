"""Both sides of a component's stream (XEP-0114): how it begins, and what it may carry."""

from __future__ import annotations

import pytest

from cluster.xmpp.element import Element
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import FROM_COMPONENT
from cluster.xmpp.namespaces import CLIENT, COMPONENT, STREAMS
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams.component import (
    AcceptingStream,
    Acknowledged,
    ComponentState,
    ConnectingStream,
    Joined,
    handshake,
)
from cluster.xmpp.streams.events import Closed, Misaddressed
from tests.helpers import ids
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

# --- how it begins


def test_the_example_of_the_specification() -> None:
    """XEP-0114 section 3, with the secret that its digest was made of."""
    assert handshake("3BF96D32", "test") == "aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e"


def test_a_component_joins() -> None:
    peer = Peer()
    answer = peer.say(HEADER)
    assert answer == (
        f"<?xml version='1.0'?><stream:stream from=\"{SMS}\" id=\"id1\" xmlns='{COMPONENT}' xmlns:stream='{STREAMS}'>"
    )
    assert peer.say(HANDSHAKE) == "<handshake/>"
    assert peer.events == [Joined()]
    assert peer.stream.domain == SMS


def test_both_sides_joined() -> None:
    component, server = connected()
    sent = make("message", from_=PHONE, to=ROMEO, id="1", payload=[Element(f"{{{CLIENT}}}body")])
    back = make("message", from_=ROMEO, to=PHONE, id="2")
    component.send(sent)
    server.send(back)
    assert pump(component, server) == [sent, back, Acknowledged(1), Acknowledged(1)]
    component.close()
    assert pump(component, server) == [Closed("")]


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (HEADER.replace(SMS, "irc.montague.lit"), "host-unknown"),
        (HEADER.replace(f"to='{SMS}'", ""), "host-unknown"),
        (HEADER.replace(SMS, "@"), "host-unknown"),
        (HEADER.replace(COMPONENT, CLIENT), "invalid-namespace"),
        (HEADER + "<handshake>wrong</handshake>", "not-authorized"),
        (HEADER + "<handshake>é</handshake>", "not-authorized"),
        (HEADER + "<handshake/>", "not-authorized"),
        (HEADER + f"<handshake>{handshake('id1', 'x')}</handshake>", "not-authorized"),  # another component's
        (HEADER + f"<message from='{PHONE}' to='{ROMEO}'/>", "not-authorized"),
        (HEADER + HANDSHAKE.upper(), "not-well-formed"),
        ("<!DOCTYPE x>", "restricted-xml"),
        ("<stream>", "invalid-namespace"),
    ],
)
def test_who_is_not_let_in(sent: str, condition: str) -> None:
    peer = Peer()
    answer = peer.say(sent)
    assert answer.count("<stream:stream ") == 1  # RFC 6120 section 4.9.1.2
    if condition != "not-well-formed":
        assert f"<stream:error><{condition} xmlns=" in answer
    assert answer.endswith("</stream:stream>")
    assert not any(isinstance(event, Joined) for event in peer.events)
    assert peer.stream.state is ComponentState.CLOSED


def test_upper_case_is_no_digest() -> None:
    """XEP-0114 section 3: all lower-case."""
    peer = Peer()
    assert "not-authorized" in peer.say(HEADER, f"<handshake>{handshake('id1', SECRET).upper()}</handshake>")


@pytest.mark.parametrize("domain", [SMS, "irc.montague.lit"])
def test_the_component_hears_why(domain: str) -> None:
    component, server = ConnectingStream(domain, "wrong"), AcceptingStream("montague.lit", {SMS: SECRET}, ids())
    [closed] = {event for event in pump(component, server) if isinstance(event, Closed) and event.reason}
    assert closed.reason.startswith("not-authorized: " if domain == SMS else "host-unknown: ")


def test_a_conflict() -> None:
    component, server = ConnectingStream(SMS, SECRET), AcceptingStream("montague.lit", {SMS: SECRET}, ids())
    server.receive_data(component.data_to_send())
    assert list(server.events()) == []
    component.receive_data(server.data_to_send())
    assert list(component.events()) == []
    server.receive_data(component.data_to_send())
    for event in server.events():
        assert event == Joined()
        server.fail(StreamError(StreamCondition.CONFLICT, "again"))
    component.receive_data(server.data_to_send())
    assert list(component.events()) == [Closed("conflict: again")]


# --- what it may send


@pytest.mark.parametrize(
    ("stanza", "condition"),
    [
        (f"<message from='{ROMEO}' to='{ROMEO}'/>", "invalid-from"),
        (f"<message from='x@mail.montague.lit' to='{ROMEO}'/>", "invalid-from"),
        (f"<message from='x@deep.{SMS}' to='{ROMEO}'/>", "invalid-from"),
        (f"<message from='{ROMEO}' to='@'/>", "invalid-from"),
        (f"<message to='{ROMEO}'/>", "improper-addressing"),
        (f"<message from='' to='{ROMEO}'/>", "improper-addressing"),
        (f"<message from='@{SMS}' to='{ROMEO}'/>", "improper-addressing"),
        (f"<message from='{PHONE}'/>", "improper-addressing"),
        (f"<message from='{PHONE}' to=''/>", "improper-addressing"),
        (f"<log from='{PHONE}' to='{ROMEO}'/>", "unsupported-stanza-type"),
        (f"<message xmlns='{CLIENT}' from='{PHONE}' to='{ROMEO}'/>", "invalid-namespace"),
        (HANDSHAKE, "unsupported-stanza-type"),
    ],
)
def test_what_ends_the_stream(stanza: str, condition: str) -> None:
    peer = joined()
    assert f"<stream:error><{condition} xmlns=" in peer.say(f"<presence from='{SMS}' to='{ROMEO}'/>{stanza}")
    presence, closed = peer.events
    assert isinstance(presence, Stanza)
    assert isinstance(closed, Closed)


@pytest.mark.parametrize("from_", [SMS, f"{SMS}/x", str(PHONE), f"{PHONE}/x"])
def test_any_address_of_its_own(from_: str) -> None:
    peer = joined()
    peer.say(f"<message to='{ROMEO}' id='1' from='{from_}'><body>hi</body></message>")
    [stanza] = peer.events
    assert isinstance(stanza, Stanza)
    assert (stanza.from_, stanza.to, stanza.id) == (Jid.parse(from_), ROMEO, "1")
    assert stanza.payloads == ("jabber:client body",)
    assert stanza.raw == f"<message from=\"{from_}\" to='{ROMEO}' id='1'><body>hi</body></message>".encode()


def test_a_bad_address_is_told_with_the_server_as_who_answers() -> None:
    peer = joined()
    assert peer.say(f"<message from='{PHONE}' to='@' id='1'/>") == ""
    [event] = peer.events
    assert isinstance(event, Misaddressed)
    assert str(event.stanza.to) == "montague.lit"
    assert event.error.condition == "jid-malformed"


# --- bytes


def test_byte_by_byte() -> None:
    peer = Peer()
    text = f"{HEADER} {HANDSHAKE}\n<message from='{PHONE}' to='{ROMEO}'><body>é</body></message></stream:stream>"
    peer.say(*[bytes([byte]) for byte in text.encode()])
    assert [type(event) for event in peer.events] == [Joined, Stanza, Closed]


def test_all_at_once() -> None:
    """A component may not know its stream id then, but a test does."""
    peer = Peer()
    answer = peer.say(f"{HEADER}{HANDSHAKE}<message from='{PHONE}' to='{ROMEO}'/></stream:stream>")
    assert [type(event) for event in peer.events] == [Joined, Stanza, Closed]
    assert answer.endswith("<handshake/></stream:stream>")


@pytest.mark.parametrize(
    ("junk", "condition"),
    [
        ("text", "bad-format"),
        ("<a><b></a>", "not-well-formed"),
        ("<?pi?>", "restricted-xml"),
        (f"<message from='{PHONE}' to='{ROMEO}'><body>{'x' * FROM_COMPONENT.max_bytes}", "policy-violation"),
    ],
)
def test_junk_behind_the_handshake(junk: str, condition: str) -> None:
    peer = joined()
    assert f"<stream:error><{condition} xmlns=" in peer.say(junk)
    [closed] = peer.events
    assert isinstance(closed, Closed)
    assert peer.say(f"<message from='{PHONE}' to='{ROMEO}'/>") == ""
