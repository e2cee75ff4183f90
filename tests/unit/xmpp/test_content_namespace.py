"""A stanza in a component's stream and outside it: namespaces, and the id of a trace."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import CLIENT, COMPONENT, PROBE
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from cluster.xmpp.stanza import Stanza, make, opening
from cluster.xmpp.streams import content_namespace
from cluster.xmpp.streams.content_namespace import into_stream, out_of_stream
from tests.unit.xmpp.component_streams import HEADER, PHONE, ROMEO, connected, pump
from tests.unit.xmpp.spelling import facts, stanzas


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


def test_the_names_in_a_large_stanza_are_not_kept() -> None:
    before = content_namespace._of_clients.cache_info().misses
    names = "".join(f"<p:n{number}/>" for number in range(1_000))
    large = read(f"{BEGIN} {TO} xmlns:p='{'u' * 2_000}'>{names}</message>")
    assert len(large.payloads) == 1_000
    assert content_namespace._of_clients.cache_info().misses == before


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
    stanza = Stanza(kind, ROMEO, PHONE, None, None, (), xml.serialize(tree))
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


def test_a_stream_between_servers() -> None:
    """Any content namespace will do (RFC 6120 section 4.8.2)."""
    server = "jabber:server"
    stanza = make("message", from_=ROMEO, to=PHONE)
    raw = stanza.raw[:-2] + f"><body xmlns='{CLIENT}'>hi</body></message>".encode()
    sent = into_stream(msgspec.structs.replace(stanza, raw=raw), server).raw
    assert xml.parse(sent, f"<context xmlns='{server}'>".encode()).find(f"{{{server}}}body") is not None
    parser = StreamParser()
    found: list[StreamHeader | Slice | StreamEnd] = []
    parser.feed(HEADER.replace(COMPONENT, server).encode() + sent, found)
    assert isinstance(found[1], Slice)
    came = out_of_stream(found[1], server)
    assert came.payloads == (f"{CLIENT} body",)
    assert came.tree.find(f"{{{CLIENT}}}body") is not None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            "<message xml:lang='en' to='j@b.lit' from='r@a.lit/x' type='chat'><body>&lt;from='y'</body></message>",
            "<message from=\"r@a.lit/x\" xml:lang='en' to='j@b.lit' type='chat'><body>&lt;from='y'</body></message>",
        ),
        ("<presence to='j@b.lit'\n from = 'r@a.lit/x'/>", "<presence from=\"r@a.lit/x\" to='j@b.lit'/>"),
        (
            "<message id=\" from='z@c.lit'>\" to='j@b.lit' from='R@A.lit/x'/>",
            "<message from=\"r@a.lit/x\" id=\" from='z@c.lit'>\" to='j@b.lit'/>",
        ),
        (
            "<message xmlns:y='urn:y' y:from='z@c.lit' from='r@a.lit/x' to='j@b.lit'><y:z/></message>",
            "<message from=\"r@a.lit/x\" xmlns:y='urn:y' y:from='z@c.lit' to='j@b.lit'><y:z/></message>",
        ),
    ],
)
def test_the_sender_comes_first_however_another_server_writes_it(raw: str, expected: str) -> None:
    parser = StreamParser()
    found: list[StreamHeader | Slice | StreamEnd] = []
    header = "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>"
    parser.feed((header + raw).encode(), found)
    assert isinstance(found[1], Slice)
    stanza = out_of_stream(found[1], "jabber:server")
    assert stanza.raw.decode() == expected
    assert xml.parse(stanza.raw).get("from") == "r@a.lit/x"
