from __future__ import annotations

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from loadtests import stamp
from loadtests.stamp import Stamp

ROMEO = Jid.parse("romeo@montague.lit/locust")
JULIET = Jid.parse("juliet@capulet.lit/locust")
HEADER = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"


def test_what_is_sent_is_read() -> None:
    raw = stamp.message(JULIET, "load-1", "a < b & c", Stamp(123_456_789, "cross-domain"))
    found: list[StreamHeader | Slice | StreamEnd] = []
    StreamParser().feed(HEADER + raw, found)
    child = found[1]
    assert isinstance(child, Slice)
    assert child.attributes == {"to": "juliet@capulet.lit/locust", "id": "load-1", "type": "chat"}
    assert stamp.PAYLOAD in child.payloads
    assert xml.text_of(xml.parse(child.raw), "{jabber:client}body") == "a < b & c"
    assert stamp.read(child.raw) == Stamp(123_456_789, "cross-domain")


def test_servers_may_write_it_anew() -> None:
    raw = b'<message><l:stamp xmlns:l="urn:xmpplab:load:0" kind="local" sent="7" /></message>'
    assert stamp.read(raw) == Stamp(7, "local")


@pytest.mark.parametrize("raw", [b"<message/>", b"<message><stamp xmlns='urn:xmpplab:load:0'/></message>"])
def test_no_stamp(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"no stamp|invalid literal"):
        stamp.read(raw)


def test_kinds() -> None:
    assert stamp.kind_of(ROMEO, Jid.parse("mercutio@montague.lit")) == "local"
    assert stamp.kind_of(ROMEO, JULIET) == "cross-domain"
