"""Both sides of a component's stream (XEP-0114)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given

from cluster.xmpp import element as xml
from cluster.xmpp.component import (
    AcceptingStream,
    Acknowledged,
    ComponentState,
    ComponentStream,
    ConnectingStream,
    Joined,
    handshake,
)
from cluster.xmpp.component_stanza import into_stream, out_of_stream
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.events import Closed, Misaddressed
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, COMPONENT, PROBE, SM, STREAMS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from cluster.xmpp.stanza import Stanza, make, opening
from tests.helpers import ids
from tests.unit.xmpp.spelling import facts, stanzas

SMS, SECRET = "sms.montague.lit", "hush"
PHONE, ROMEO = Jid.parse("+39333@sms.montague.lit"), Jid.parse("romeo@montague.lit/pda")
HEADER = f"<stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}' to='{SMS}'>"
HANDSHAKE = f"<handshake>{handshake('id1', SECRET)}</handshake>"


class Peer:
    """A component made of bytes, at a server's stream that lets in whoever knows the secret."""

    def __init__(self) -> None:
        self.stream = AcceptingStream("montague.lit", {SMS: SECRET, "mail.montague.lit": "x"}, ids())
        self.events: list[object] = []

    def say(self, *sent: str | bytes) -> str:
        answer = b""
        for chunk in sent:
            self.stream.receive_data(chunk if isinstance(chunk, bytes) else chunk.encode())
            for event in self.stream.events():
                self.events.append(event)
                if isinstance(event, Joined):
                    self.stream.accept()
            answer += self.stream.data_to_send()
        return answer.decode()


def joined() -> Peer:
    peer = Peer()
    peer.say(HEADER, HANDSHAKE)
    peer.events.clear()
    return peer


def pump(component: ConnectingStream, server: AcceptingStream) -> list[object]:
    """Carry bytes until neither has more to say, and handle each stanza at once; what both told."""
    told: list[object] = []
    while True:
        asked, answered = component.data_to_send(), server.data_to_send()
        if not asked and not answered:
            return told
        for stream, data in ((server, asked), (component, answered)):
            stream.receive_data(data)
            told.extend(take(stream))


def take(stream: ComponentStream) -> Iterator[object]:
    for event in stream.events():
        if isinstance(event, Joined) and isinstance(stream, AcceptingStream):
            stream.accept()
        if isinstance(event, Stanza):
            stream.received(None)
        yield event


def connected() -> tuple[ConnectingStream, AcceptingStream]:
    """Both sides, joined."""
    component, server = ConnectingStream(SMS, SECRET), AcceptingStream("montague.lit", {SMS: SECRET}, ids())
    assert pump(component, server) == [Joined(), Joined()]
    return component, server


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
    assert stanza.raw == f'<message from="{from_}" to="{ROMEO}" id="1"><body>hi</body></message>'.encode()


def test_a_bad_address_is_told_with_the_server_as_who_answers() -> None:
    peer = joined()
    assert peer.say(f"<message from='{PHONE}' to='@' id='1'/>") == ""
    [event] = peer.events
    assert isinstance(event, Misaddressed)
    assert str(event.stanza.to) == "montague.lit"
    assert event.error.condition == "jid-malformed"


# --- acknowledgements (XEP-0198)


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
    assert list(server.events()) == [Acknowledged(1)]  # asked behind the first; the others were not there yet
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


# --- namespaces


def read(stanza: str) -> Stanza:
    parser = StreamParser()
    found: list[StreamHeader | Slice | StreamEnd] = []
    parser.feed((HEADER + stanza).encode(), found)
    assert isinstance(found[1], Slice)
    return out_of_stream(found[1])


BEGIN = opening("message", PHONE).decode()
TO = f'to="{ROMEO}"'


@pytest.mark.parametrize(
    "stanza",
    [
        f"{BEGIN} {TO}><body>hi</body></message>",
        f"<message from='{PHONE}' {TO}><body>hi</body></message>",
        f"<message {TO} from='{PHONE}'><body>hi</body></message>",
        f"<message {TO} from='+39333@SMS.Montague.LIT.'><body>hi</body></message>",
        f"{BEGIN} {TO} xmlns='{COMPONENT}'><body>hi</body></message>",
        f"{BEGIN} {TO} xmlns='jabber:component&#58;accept'><body>hi</body></message>",
        f"{BEGIN} {TO}><body xmlns='{COMPONENT}'>hi</body></message>",
        f"<c:message xmlns:c='{COMPONENT}' from='{PHONE}' {TO}><c:body>hi</c:body></c:message>",
    ],
)
def test_a_stanza_comes_out_as_a_clients(stanza: str) -> None:
    read_ = read(stanza)
    assert read_.raw == f"{BEGIN} {TO}><body>hi</body></message>".encode()
    assert read_.payloads == ("jabber:client body",)


def test_a_forwarded_stanza_stays_a_clients() -> None:
    """XEP-0297: content of its own."""
    inner = f"<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='{CLIENT}'><body>hi</body></message></forwarded>"
    stanza = make("message", from_=ROMEO, to=PHONE)
    raw = stanza.raw[:-2] + f"><body xmlns='{CLIENT}'>fwd</body>{inner}</message>".encode()
    sent = into_stream(msgspec.structs.replace(stanza, raw=raw)).raw
    assert sent.count(CLIENT.encode()) == 1
    tree = xml.parse(sent, f"<context xmlns='{COMPONENT}'>".encode())
    assert [child.tag for child in tree.iter()] == [
        f"{{{COMPONENT}}}message", f"{{{COMPONENT}}}body", "{urn:xmpp:forward:0}forwarded",
        f"{{{CLIENT}}}message", f"{{{CLIENT}}}body",
    ]  # fmt: skip


@given(stanzas)
def test_any_stanza_goes_in_and_comes_out(tree: Element) -> None:
    tree.attrib.update({"from": str(PHONE), "to": str(ROMEO)})
    kind = xml.split(tree.tag)[1]
    stanza = Stanza(kind, ROMEO, PHONE, None, None, (), xml.serialize(tree))  # type: ignore[arg-type]
    out = read(into_stream(stanza).raw.decode())
    assert out.raw.startswith(opening(kind, PHONE))
    assert facts(out.tree) == facts(xml.parse(xml.serialize(tree)))


def test_the_trace_id_crosses_in_band() -> None:
    component, server = connected()
    server.send(msgspec.structs.replace(make("message", from_=ROMEO, to=PHONE), trace_id="t1"))
    there, _ = pump(component, server)
    assert isinstance(there, Stanza)
    assert there.trace_id == "t1"
    assert there.is_payload(PROBE, "probe")
    component.send(msgspec.structs.replace(make("message", from_=PHONE, to=ROMEO), trace_id=there.trace_id))
    back, _ = pump(component, server)
    assert isinstance(back, Stanza)
    assert back.trace_id == "t1"


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
        (f"<message from='{PHONE}' to='{ROMEO}'><body>{'x' * 300_000}", "policy-violation"),
    ],
)
def test_junk_behind_the_handshake(junk: str, condition: str) -> None:
    peer = joined()
    assert f"<stream:error><{condition} xmlns=" in peer.say(junk)
    [closed] = peer.events
    assert isinstance(closed, Closed)
    assert peer.say(f"<message from='{PHONE}' to='{ROMEO}'/>") == ""
