"""The framing of XMPP over WebSocket (RFC 7395 section 3)."""

from __future__ import annotations

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.limits import FROM_CLIENT
from cluster.xmpp.namespaces import CLIENT, FRAMING, STREAMS
from cluster.xmpp.streams.websocket import WebSocketFraming

OPEN = f"<open xmlns='{FRAMING}' to='montague.lit' version='1.0' xml:lang='it'/>"
HEADER = (
    f"<?xml version='1.0'?><stream:stream from='montague.lit' id='i1' version='1.0' xml:lang='en' "
    f"xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
)


@pytest.fixture
def framing() -> WebSocketFraming:
    return WebSocketFraming()


def test_open_is_a_stream_header(framing: WebSocketFraming) -> None:
    said = f"to='montague.lit' version='1.0' xml:lang='it' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
    for _ in range(2):  # and a restart is another (section 3.5)
        assert framing.received(OPEN.encode()).decode().replace('"', "'").endswith(f"<stream:stream {said}")


def test_close_is_the_end_of_the_stream(framing: WebSocketFraming) -> None:
    assert framing.received(f"<close xmlns='{FRAMING}'/>".encode()) == b"</stream:stream>"


@pytest.mark.parametrize(
    ("message", "bytes_"),
    [
        (
            f"<message xmlns='{CLIENT}' to='a@b'><body>hi</body></message>",
            "<message to='a@b'><body>hi</body></message>",
        ),
        (f'<presence\nxmlns = "{CLIENT}"/>', "<presence/>"),
        (f"<iq id=' xmlns=\"jabber:client\"' xmlns='{CLIENT}'/>", "<iq id=' xmlns=\"jabber:client\"'/>"),
        ("<r xmlns='urn:xmpp:sm:3'/>", "<r xmlns='urn:xmpp:sm:3'/>"),
    ],
)
def test_a_stanza_is_as_it_would_be_in_a_stream(framing: WebSocketFraming, message: str, bytes_: str) -> None:
    assert framing.received(message.encode()).decode() == bytes_


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        ("<message><body>", StreamCondition.BAD_FORMAT),  # section 3.3.3: one whole element
        ("<presence/><presence/>", StreamCondition.BAD_FORMAT),
        ("", StreamCondition.BAD_FORMAT),
        ("hello", StreamCondition.BAD_FORMAT),
        ("</stream:stream>", StreamCondition.BAD_FORMAT),
        ("<message></presence>", StreamCondition.NOT_WELL_FORMED),
        ("<!DOCTYPE x []><presence/>", StreamCondition.NOT_WELL_FORMED),
        ("<message><!-- --></message>", StreamCondition.RESTRICTED_XML),
        (f"<message>{'x' * FROM_CLIENT.max_bytes}</message>", StreamCondition.POLICY_VIOLATION),
    ],
)
def test_what_is_not_one_element(framing: WebSocketFraming, message: str, condition: StreamCondition) -> None:
    framing.received(OPEN.encode())
    with pytest.raises(StreamError) as caught:
        framing.received(message.encode())
    assert caught.value.condition == condition


def test_each_message_of_the_server_is_a_document_of_its_own(framing: WebSocketFraming) -> None:
    data = (
        f"{HEADER}<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></stream:features>"
        "<message from='a@b'><body>hi</body></message><a xmlns='urn:xmpp:sm:3' h='1'/>"
        f"<presence xmlns='{CLIENT}'><stream:x/></presence></stream:stream>"
    )
    opened, *rest = [xml.parse(message, b"<context>") for message in framing.to_send(data.encode())]
    assert (opened.tag, opened.get("from"), opened.get("id")) == (f"{{{FRAMING}}}open", "montague.lit", "i1")
    assert [child.tag for child in rest] == [
        f"{{{STREAMS}}}features",
        f"{{{CLIENT}}}message",
        "{urn:xmpp:sm:3}a",
        f"{{{CLIENT}}}presence",
        f"{{{FRAMING}}}close",
    ]
    assert rest[1].findtext(f"{{{CLIENT}}}body") == "hi"


def test_what_the_server_says_has_no_bounds(framing: WebSocketFraming) -> None:
    framing.to_send(HEADER.encode())
    roster = f"<iq>{'<x>' * 60}{'<item/>' * (FROM_CLIENT.max_nodes + 1)}{'x' * FROM_CLIENT.max_bytes}{'</x>' * 60}</iq>"
    assert len(framing.to_send(roster.encode())) == 1


def test_a_restart(framing: WebSocketFraming) -> None:
    for _ in range(2):
        [opened] = framing.to_send(HEADER.encode())
        assert xml.parse(opened, b"<context>").tag == f"{{{FRAMING}}}open"
