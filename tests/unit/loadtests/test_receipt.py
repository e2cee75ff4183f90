from __future__ import annotations

import pytest

from cluster.gateways.delivery_receipts import wants_receipt
from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from cluster.xmpp.stanza import Stanza
from loadtests import receipt

PHONE = Jid("+393331234567", "sms.montague.lit")
HEADER = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"


def parsed(raw: bytes) -> Slice:
    found: list[StreamHeader | Slice | StreamEnd] = []
    StreamParser().feed(HEADER + raw, found)
    assert isinstance(found[1], Slice)
    return found[1]


def test_the_gateway_sees_that_a_receipt_is_wanted() -> None:
    child = parsed(receipt.message(PHONE, "load-1", "a < b & c"))
    assert child.attributes == {"to": "+393331234567@sms.montague.lit", "id": "load-1", "type": "chat"}
    assert xml.text_of(xml.parse(child.raw), "{jabber:client}body") == "a < b & c"
    assert wants_receipt(Stanza("message", None, PHONE, "load-1", "chat", child.payloads, child.raw))


def test_a_receipt_names_its_message() -> None:
    child = parsed(b"<message id='x'><r:received xmlns:r='urn:xmpp:receipts' id='load-1'/></message>")
    assert receipt.PAYLOAD in child.payloads
    assert receipt.read(child.raw) == "load-1"


def test_no_receipt() -> None:
    with pytest.raises(ValueError, match="no receipt"):
        receipt.read(receipt.message(PHONE, "load-1", "x"))
