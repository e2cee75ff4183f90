"""Stanzas: what is read from them, and those that we write."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, ErrorType, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, STANZA_ERRORS
from cluster.xmpp.parser import StreamParser
from cluster.xmpp.stanza import Stanza, error_of, make, opening
from cluster.xmpp.streams.stamp import Stamp
from tests.unit.xmpp.spelling import USUAL, facts, texts, trees

ROMEO = Jid.parse("romeo@montague.lit/pda")
JULIET = Jid.parse("juliet@capulet.lit/balcony")


def sent(raw: str) -> Stanza:
    """What romeo's server makes of it."""
    parser, found = StreamParser(), []
    parser.feed(USUAL.raw + raw.encode(), found)
    return Stamp(ROMEO, CLIENT)(found[1])


def ping(type: str = "get", id: str = "p1") -> Stanza:
    return sent(f"<iq to='{JULIET}' id='{id}' type='{type}'><ping xmlns='urn:xmpp:ping'/></iq>")


# --- stanzas of our own


def test_make() -> None:
    body = Element(f"{{{CLIENT}}}body")
    body.text = "hi & <bye>"
    stanza = make("message", to=JULIET, from_=ROMEO, id="'1\"", type="chat", payload=[body, Element("{urn:x}x")])
    assert stanza.raw.decode() == (
        '<message from="romeo@montague.lit/pda" to="juliet@capulet.lit/balcony" id="\'1&quot;" type="chat">'
        '<body>hi &amp; &lt;bye></body><x xmlns="urn:x"/></message>'
    )
    assert stanza.payloads == ("jabber:client body", "urn:x x")
    assert (stanza.kind, stanza.to, stanza.from_, stanza.id, stanza.type) == ("message", JULIET, ROMEO, "'1\"", "chat")
    assert make("presence").raw == b"<presence/>"


resources = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8)


@given(st.lists(trees(), max_size=3), texts, resources)
def test_what_is_made_is_read_again(payload: list[Element], id: str, resource: str) -> None:
    """The header and the payloads' names of a stanza that we make are those of the same stanza on the wire."""
    jid = Jid("romeo", "montague.lit", resource)
    made = make("iq", to=JULIET, from_=jid, id=id, type="get", payload=payload)
    assert made.raw.startswith(opening("iq", jid))
    parser, found = StreamParser(), []
    parser.feed(USUAL.raw + made.raw, found)
    attributes = {"from": str(jid), "to": str(JULIET), "id": id, "type": "get"}
    assert (found[1].raw, found[1].payloads, found[1].attributes) == (made.raw, made.payloads, attributes)
    assert [facts(child) for child in made.tree] == [facts(child) for child in payload]


def test_it_crosses_a_link_as_it_is() -> None:
    stanza = msgspec.structs.replace(ping(), trace_id="t1")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(stanza), type=Stanza) == stanza
    broadcast = sent("<presence/>")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(broadcast), type=Stanza) == broadcast


def test_tree_is_a_new_one_each_time() -> None:
    stanza = ping()
    stanza.tree.clear()
    assert stanza.tree.get("id") == "p1"


def test_redirected() -> None:
    stanza = sent("<message to='juliet@capulet.lit' xml:lang='it'>\n<body>a\tb</body>\n</message>")
    moved = stanza.redirected(JULIET)
    assert moved.raw.decode() == (
        '<message from="romeo@montague.lit/pda" to="juliet@capulet.lit/balcony" xml:lang="it">\n'
        "<body>a\tb</body>\n</message>"
    )
    assert moved.raw.startswith(opening("message", ROMEO))
    assert (moved.to, moved.from_, moved.payloads) == (JULIET, ROMEO, stanza.payloads)
    assert sent("<presence/>").redirected(JULIET).tree.get("to") == str(JULIET)


# --- what a handler asks


def test_payload() -> None:
    stanza = ping()
    assert stanza.is_payload("urn:xmpp:ping", "ping")
    assert not stanza.is_payload("urn:xmpp:ping", "pin")
    assert stanza.payload().tag == "{urn:xmpp:ping}ping"


@pytest.mark.parametrize("children", ["", "text", "<a xmlns='urn:a'/><b xmlns='urn:b'/>"])
def test_payload_is_one(children: str) -> None:
    # RFC 6120 section 8.2.3, rule 4
    with pytest.raises(StanzaError) as caught:
        sent(f"<iq id='1' type='get'>{children}</iq>").payload()
    assert caught.value.condition == Condition.BAD_REQUEST


@pytest.mark.parametrize(
    ("type", "answered"), [("get", True), ("set", True), (None, True), ("error", False), ("result", False)]
)
def test_what_may_be_answered_with_an_error(type: str | None, answered: bool) -> None:
    # RFC 6120 sections 8.2.3 and 8.3.1
    assert make("iq", type=type).may_be_answered_with_error is answered


# --- replies


def test_reply() -> None:
    # RFC 6120 section 8.2.3, rule 3: addresses are turned, the id is the same
    reply = ping(id="&lt;&apos;").reply(Element("{urn:x}x"))
    assert reply.raw.decode() == (
        '<iq from="juliet@capulet.lit/balcony" to="romeo@montague.lit/pda" id="&lt;\'" type="result">'
        '<x xmlns="urn:x"/></iq>'
    )
    assert (reply.to, reply.from_, reply.id, reply.type) == (ROMEO, JULIET, "<'", "result")


def test_error() -> None:
    # RFC 6120 section 8.3.1
    error = ping().error(StanzaError(Condition.SERVICE_UNAVAILABLE, "nobody & nothing"))
    assert error.raw.decode() == (
        '<iq from="juliet@capulet.lit/balcony" to="romeo@montague.lit/pda" id="p1" type="error">'
        '<ping xmlns="urn:xmpp:ping"/><error type="cancel">'
        '<service-unavailable xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/>'
        '<text xmlns="urn:ietf:params:xml:ns:xmpp-stanzas" xml:lang="en">nobody &amp; nothing</text></error></iq>'
    )
    assert error.payloads == ("urn:xmpp:ping ping", "jabber:client error")
    assert not error.may_be_answered_with_error


def test_error_of_a_stanza_without_address() -> None:
    error = sent("<presence/>").error(StanzaError(Condition.NOT_ALLOWED))
    assert (error.kind, error.to, error.from_, error.tree.get("from")) == ("presence", ROMEO, None, None)


@pytest.mark.parametrize("condition", Condition)
@pytest.mark.parametrize("type", ErrorType)
def test_every_error_comes_back(condition: Condition, type: ErrorType) -> None:
    read = error_of(ping().error(StanzaError(condition, "why", type)))
    assert (read.condition, read.text, read.type) == (condition, "why", type)


@pytest.mark.parametrize(
    ("raw", "condition", "type"),
    [
        ("<iq type='error'/>", Condition.UNDEFINED_CONDITION, ErrorType.CANCEL),
        ("<iq type='error'><error/></iq>", Condition.UNDEFINED_CONDITION, ErrorType.CANCEL),
        ("<iq type='error'><error type='odd'/></iq>", Condition.UNDEFINED_CONDITION, ErrorType.CANCEL),
        (
            f"<iq type='error'><error type='wait'><odd xmlns='{STANZA_ERRORS}'/></error></iq>",
            Condition.UNDEFINED_CONDITION,
            ErrorType.WAIT,
        ),
        # RFC 6120 section 8.3.4: an application's condition stands beside the RFC's, whatever its name is
        (
            "<iq type='error'><error type='modify'>"
            f"<conflict xmlns='urn:x'/><gone xmlns='{STANZA_ERRORS}'/></error></iq>",
            Condition.GONE,
            ErrorType.MODIFY,
        ),
    ],
)
def test_odd_errors(raw: str, condition: Condition, type: ErrorType) -> None:
    read = error_of(sent(raw))
    assert (read.condition, read.type, read.text) == (condition, type, "")


def test_opening_is_how_it_begins() -> None:
    assert opening("iq", ROMEO) == b'<iq from="romeo@montague.lit/pda"'
    quoted = Jid("", "a.b", "'\"")
    assert xml.parse(opening("iq", quoted) + b"/>").get("from") == str(quoted)
