"""From what a client sent to what its server vouches for (RFC 6120 section 8.1.2.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, XML
from cluster.xmpp.parser import Slice, StreamParser
from cluster.xmpp.stanza import opening
from cluster.xmpp.streams.stamp import MalformedTo, Stamp
from tests.unit.xmpp.spelling import HEADERS, USUAL, Draw, Header, facts, spell, stanzas

ROMEO = Jid.parse("romeo@montague.lit/pda")
JULIET = Jid.parse("juliet@capulet.lit")


def sliced(raw: bytes, header: Header = USUAL) -> Slice:
    parser, found = StreamParser(), []
    parser.feed(header.raw + raw, found)
    return found[1]


def stamped(raw: bytes, lang: str | None = None, jid: Jid = ROMEO) -> bytes:
    stanza = Stamp(jid, CLIENT, lang)(sliced(raw))
    assert stanza.raw.startswith(opening(stanza.kind, jid))
    assert stanza.from_ == jid
    return stanza.raw


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"<message to='a@b'/>", b"<message from=\"romeo@montague.lit/pda\" to='a@b'/>"),
        (b"<message/>", b'<message from="romeo@montague.lit/pda"/>'),
        (b"<message />", b'<message from="romeo@montague.lit/pda" />'),
        (b"<message></message>", b'<message from="romeo@montague.lit/pda"></message>'),
        (b"<iq\nid='1'><x/></iq>", b"<iq from=\"romeo@montague.lit/pda\"\nid='1'><x/></iq>"),
        (b"<presence\t\r\n/>", b'<presence from="romeo@montague.lit/pda"\t\r\n/>'),
        # an attribute of another namespace is no `from` of ours
        (
            b"<message xmlns:x='urn:x' x:from='eve@x'/>",
            b"<message from=\"romeo@montague.lit/pda\" xmlns:x='urn:x' x:from='eve@x'/>",
        ),
    ],
)
def test_from_is_spliced(raw: bytes, expected: bytes) -> None:
    assert stamped(raw) == expected


@pytest.mark.parametrize("own", ["romeo@montague.lit/pda", "romeo@montague.lit", "ROMEO@Montague.lit./pda"])
def test_own_from(own: str) -> None:
    raw = f"<message to='a@b' from='{own}' id='1'><body>hi</body></message>".encode()
    expected = b'<message from="romeo@montague.lit/pda" to="a@b" id="1"><body>hi</body></message>'
    assert stamped(raw) == expected


@pytest.mark.parametrize(
    "foreign",
    ["juliet@capulet.lit", "romeo@montague.lit/other", "montague.lit", "romeo@capulet.lit/pda", "", "@", "a/"],
)
def test_foreign_from(foreign: str) -> None:
    # RFC 6120 section 4.9.3.9
    with pytest.raises(StreamError) as caught:
        stamped(f"<message from='{foreign}' to='a@b'/>".encode())
    assert caught.value.condition == StreamCondition.INVALID_FROM


def test_language_of_the_stream() -> None:
    # RFC 6120 section 8.1.5
    assert stamped(b"<message/>", "it") == b'<message from="romeo@montague.lit/pda" xml:lang="it"/>'
    assert stamped(b"<message xml:lang='de'/>", "it") == b"<message from=\"romeo@montague.lit/pda\" xml:lang='de'/>"
    assert stamped(b"<message xml:lang=''/>", "it") == b"<message from=\"romeo@montague.lit/pda\" xml:lang=''/>"
    own = b"<message xml:lang='de' from='romeo@montague.lit'/>"
    assert stamped(own, "it") == b'<message from="romeo@montague.lit/pda" xml:lang="de"/>'
    own = b"<message from='romeo@montague.lit'/>"
    assert stamped(own, "it") == b'<message from="romeo@montague.lit/pda" xml:lang="it"/>'
    assert xml.parse(stamped(b"<message/>", "'\"<&\n")).get(f"{{{XML}}}lang") == "'\"<&\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"<c:message xmlns:c='jabber:client' to='a@b'><c:body>hi</c:body></c:message>",
        b"<message:message xmlns:message='jabber:client' to='a@b'><body>hi</body></message:message>",
        b"<messages:message xmlns:messages='jabber:client' to='a@b'><body>hi</body></messages:message>",
        b"<m:message xmlns:m='jabber:client' xmlns='urn:x' to='a@b'><m:body>hi</m:body></m:message>",
    ],
)
def test_prefixes(raw: bytes) -> None:
    assert stamped(raw) == b'<message from="romeo@montague.lit/pda" to="a@b"><body>hi</body></message>'


def test_a_resource_with_markup_in_it() -> None:
    jid = ROMEO.with_resource("'\"<&> ♥")
    assert xml.parse(stamped(b"<message/>", jid=jid)).get("from") == str(jid)


def test_header_is_read() -> None:
    stanza = Stamp(ROMEO, CLIENT)(sliced(b"<iq to='JULIET@capulet.lit' id='&lt;1' type='get'><q xmlns='urn:q'/></iq>"))
    assert (stanza.kind, stanza.to, stanza.id, stanza.type) == ("iq", JULIET, "<1", "get")
    assert stanza.payloads == ("urn:q q",)
    stanza = Stamp(ROMEO, CLIENT)(sliced(b"<presence/>"))
    assert (stanza.kind, stanza.to, stanza.id, stanza.type) == ("presence", None, None, None)


@pytest.mark.parametrize("to", ["", "@", "juliet@", "a@b@c", "a@b/", "ju liet@capulet.lit"])
def test_malformed_to(to: str) -> None:
    with pytest.raises(MalformedTo) as caught:
        Stamp(ROMEO, CLIENT)(sliced(f"<message to='{to}' id='1' type='chat'><body/></message>".encode()))
    stanza = caught.value.stanza
    assert (stanza.kind, stanza.to, stanza.from_, stanza.id, stanza.type) == ("message", None, ROMEO, "1", "chat")
    assert stanza.tree.get("to") == to


@pytest.mark.parametrize(
    ("raw", "condition"),
    [
        (b"<body/>", StreamCondition.UNSUPPORTED_STANZA_TYPE),  # RFC 6120 section 4.9.3.24
        (b"<messages/>", StreamCondition.UNSUPPORTED_STANZA_TYPE),
        (b"<message xmlns=''/>", StreamCondition.INVALID_NAMESPACE),  # section 4.8.3
        (b"<message xmlns='jabber:server'/>", StreamCondition.INVALID_NAMESPACE),
    ],
)
def test_no_stanza(raw: bytes, condition: StreamCondition) -> None:
    with pytest.raises(StreamError) as caught:
        stamped(raw)
    assert caught.value.condition == condition


@st.composite
def sent(draw: Draw) -> tuple[Element, Slice]:
    header = draw(st.sampled_from([header for header in HEADERS if CLIENT in header.scope.values()]))
    tree = draw(stanzas)
    tree.attrib.update(draw(st.fixed_dictionaries({}, optional={"to": st.just("a@b"), "from": st.just(str(ROMEO))})))
    return tree, sliced(spell(draw, tree, header.scope).encode(), header)


@given(sent(), st.sampled_from([None, "it"]))
def test_nothing_else_changes(case: tuple[Element, Slice], lang: str | None) -> None:
    tree, child = case
    stanza = Stamp(ROMEO, CLIENT, lang)(child)
    assert stanza.raw.startswith(opening(stanza.kind, ROMEO))
    tree.set("from", str(ROMEO))
    if lang and f"{{{XML}}}lang" not in tree.attrib:
        tree.set(f"{{{XML}}}lang", lang)
    assert facts(stanza.tree) == facts(tree)
