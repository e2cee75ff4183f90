"""The incremental parser: what it finds, and how it is cut up."""

from __future__ import annotations

import contextlib
import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.xmpp import element as xml
from cluster.xmpp.errors import StreamError
from cluster.xmpp.namespaces import CLIENT, STREAMS
from cluster.xmpp.parser import RENEW_AFTER_BYTES, Slice, StreamEnd, StreamHeader, StreamParser
from tests.unit.xmpp.parsing import END, bytewise, children, parse
from tests.unit.xmpp.spelling import HEADERS, USUAL, Draw, Header, facts, names, spell, stanzas, trees

# --- what is found


def test_header() -> None:
    raw = (
        "<stream:stream from='romeo@montague.lit' to='montague.lit' id='i1' version='1.0' xml:lang='it' "
        f"xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
    )
    header = StreamHeader("montague.lit", "romeo@montague.lit", "i1", "1.0", "it", CLIENT)
    assert parse(raw.encode()) == [header]
    assert parse(*bytewise(raw.encode())) == [header]


def test_header_without_attributes() -> None:
    raw = f"<stream:stream xmlns='jabber:server' xmlns:stream='{STREAMS}'>"
    assert parse(raw.encode()) == [StreamHeader(None, None, None, None, None, "jabber:server")]


@pytest.mark.parametrize(
    ("raw", "payloads"),
    [
        (b"<message to='a@b'><body>hi</body></message>", ("jabber:client body",)),
        (b"<presence/>", ()),
        (b"<presence />", ()),
        (b"<presence\n/>", ()),
        (b"<presence></presence>", ()),
        (b"<presence></presence \n>", ()),
        (b"<presence to='a/>b'/>", ()),
        (b"<presence to='a/>b'></presence>", ()),
        (b'<presence to="it\'s >"/>', ()),
        (b"<presence to='a' type=\">'\" />", ()),
        (b"<message>a/></message>", ()),
        (b"<message> > </message>", ()),
        (b"<message><![CDATA[<body></message>]]></message>", ()),
        (b"<message><body><![CDATA[</message>]]></body></message>", ("jabber:client body",)),
        (b"<iq><query xmlns='urn:q'/></iq>", ("urn:q query",)),
        (b"<iq><q:query xmlns:q='urn:q'><q:item/></q:query></iq>", ("urn:q query",)),
        (b"<iq><query xmlns=''/></iq>", ("query",)),
        (b"<iq><a/><b/><a/></iq>", ("jabber:client a", "jabber:client b", "jabber:client a")),
        ("<message><body>♥ 👩‍👩‍👧</body></message>".encode(), ("jabber:client body",)),
    ],
)
def test_slice_is_the_input(raw: bytes, payloads: tuple[str, ...]) -> None:
    expected = [(raw, payloads), (b"<iq/>", ())]
    for chunks in ([raw + b"<iq/>"], bytewise(raw + b"<iq/>"), [raw, b"<iq/>"]):
        assert [(child.raw, child.payloads) for child in children(*chunks)] == expected


def test_slice_comes_with_its_last_byte() -> None:
    for raw in (b"<presence/>", b"<message><body>hi</body></message>"):
        parser, found = StreamParser(), []
        parser.feed(USUAL.raw, found)
        found.clear()
        parser.feed(raw[:-1], found)
        assert not found
        assert parser.pending_bytes == len(raw) - 1
        parser.feed(raw[-1:], found)
        assert [child.raw for child in found] == [raw]
        assert parser.pending_bytes == 0


def test_name_and_attributes() -> None:
    child = children(b"<c:message xmlns:c='jabber:client' to='a&amp;b' c:x='1' xml:lang='it'/>")[0]
    assert child.name == "jabber:client message"
    assert child.attributes == {
        "to": "a&b",
        "jabber:client x": "1",
        "http://www.w3.org/XML/1998/namespace lang": "it",
    }


def test_white_space_between_stanzas() -> None:
    # RFC 6120 section 4.4: a keep-alive
    found = children(b" \n\t<iq/>", b"\r\n", b" ", b"   <presence/> \n", b" ", b"<iq/>")
    assert [child.raw for child in found] == [b"<iq/>", b"<presence/>", b"<iq/>"]


def test_white_space_is_not_kept() -> None:
    parser = StreamParser()
    parser.feed(USUAL.raw, [])
    for _ in range(100):
        parser.feed(b" \n" * 100, [])
        assert parser.pending_bytes == 0


def test_end() -> None:
    assert parse(USUAL.raw, b"<iq/>\n" + END)[-1] == StreamEnd()
    assert parse(*bytewise(USUAL.raw + b"<iq/> " + END))[-1] == StreamEnd()
    empty = f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'/>".encode()
    assert [type(found) for found in parse(empty)] == [StreamHeader, StreamEnd]


# --- other spellings, other cuts


@st.composite
def streams(draw: Draw) -> tuple[list[object], list[bytes]]:
    """The trees of a stream's children, and the stream, cut up."""
    header = draw(st.sampled_from(HEADERS))
    expected = draw(st.lists(st.one_of(stanzas, trees(tag=names)), max_size=3))
    spelled = [spell(draw, tree, header.scope).encode() for tree in expected]
    data = header.raw + b"".join(draw(st.sampled_from([b"", b" ", b"\n\n"])) + raw for raw in spelled)
    cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=8))})
    chunks = [data[begin:end] for begin, end in itertools.pairwise(cuts)]
    return list(expected), chunks


@given(streams())
def test_slices_have_the_trees_of_the_input(stream: tuple[list[xml.Element], list[bytes]]) -> None:
    """However a stream is spelled and cut, and whatever its header declares, each slice stands for itself."""
    expected, chunks = stream
    header, *found = parse(*chunks)
    assert isinstance(header, StreamHeader)
    content = f"<context xmlns='{header.content_namespace}' xmlns:stream='{STREAMS}'>".encode()
    assert [facts(xml.parse(child.raw, content)) for child in found] == [facts(tree) for tree in expected]
    for child, tree in zip(found, expected, strict=True):
        assert child.name == spaced(tree.tag)
        assert child.attributes == {spaced(key): value for key, value in tree.items()}
        assert child.payloads == tuple(spaced(payload.tag) for payload in tree)
    assert parse(*bytewise(b"".join(chunks))) == [header, *found]


def spaced(name: str) -> str:
    return " ".join(xml.split(name)).lstrip()


# --- whatever comes


def survives(chunks: list[bytes], in_a_stream: bool) -> None:
    with contextlib.suppress(StreamError):
        parse(USUAL.raw if in_a_stream else b"", *chunks, max_stanza_bytes=2_000)


@given(st.lists(st.binary(max_size=60), max_size=8), st.booleans())
def test_any_bytes_raise_nothing_but_stream_errors(chunks: list[bytes], in_a_stream: bool) -> None:
    survives(chunks, in_a_stream)


TOKENS = [
    *(
        b"<",
        b">",
        b"/>",
        b"</",
        b"'",
        b'"',
        b"=",
        b" ",
        b"&",
        b";",
        b"\n",
        b"\r",
        b"]]>",
        b"<![CDATA[",
        b"<!--",
        b"-->",
    ),
    *(b"<?xml version='1.0'?>", b"<!DOCTYPE a [", b"<!ENTITY e 'x'>", b"&e;", b"&amp;", b"&#10;", b"\xef\xbb\xbf"),
    *(b"message", b"stream:stream", b"xmlns", b"xmlns:a='u'", b"a:b", b"<a>", b"</a>", b"<a/>", END, USUAL.raw),
    *(b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\x00", b"\xff"),
]


@given(st.lists(st.sampled_from(TOKENS), max_size=25), st.booleans())
def test_any_tokens_raise_nothing_but_stream_errors(chunks: list[bytes], in_a_stream: bool) -> None:
    survives(chunks, in_a_stream)


@given(streams(), st.integers(1, 60))
def test_rest_changes_nothing(stream: tuple[list[object], list[bytes]], size: int) -> None:
    """A parser that gives its memory back whenever it may finds what one finds that never does."""
    data = b"".join(stream[1])
    found: list[StreamHeader | Slice | StreamEnd] = []
    parser = StreamParser()
    for at in range(0, len(data), size):
        parser.feed(data[at : at + size], found)
        parser.rest()
    assert found == parse(data)


@pytest.mark.parametrize("header", HEADERS)
def test_the_end_after_a_rest(header: Header) -> None:
    name = header.raw.split(b"<")[2].split()[0]
    found: list[StreamHeader | Slice | StreamEnd] = []
    parser = StreamParser()
    parser.feed(header.raw, found)
    parser.rest()
    parser.feed(b"</" + name + b">", found)
    assert found[1:] == [StreamEnd()]


# --- what a parser keeps


@pytest.mark.parametrize("ends_amid_a_child", [False, True])
def test_names_that_nobody_uses_again_are_forgotten(ends_amid_a_child: bool) -> None:
    """A client that is never silent invents names for ever; expat keeps each as long as it lasts."""
    parser, names = StreamParser(), itertools.count()
    parser.feed(USUAL.raw + b"<iq>", [])
    tracemalloc.start(1)
    try:
        sizes = []
        for _ in range(100):
            parser.feed(b"".join(b"<a%x/>" % next(names) for _ in range(1_000)) + b"</iq>", [])
            if not ends_amid_a_child:
                parser.feed(b" ", [])
            parser.feed(b"<iq>", [])
            sizes.append(tracemalloc.get_traced_memory()[0])
        assert max(sizes[50:]) < 1.2 * max(sizes[:50])
    finally:
        tracemalloc.stop()


def test_a_child_goes_on_with_a_new_expat() -> None:
    """Also one that began before."""
    parser, found = StreamParser(), []
    parser.feed(USUAL.raw, found)
    parser.feed(b"<iq/>" * (RENEW_AFTER_BYTES // 5 + 1) + b"<message to='a'><x xmlns='urn:x'><y>", found)
    parser.feed("♥</y></x><body>".encode(), found)
    parser.feed(b"</body></message><presence/>", found)
    *_, message, presence = found
    assert message == children("<message to='a'><x xmlns='urn:x'><y>♥</y></x><body></body></message>".encode())[0]
    assert presence == children(b"<presence/>")[0]
