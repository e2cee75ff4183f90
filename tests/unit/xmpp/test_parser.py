"""The incremental parser: what it finds, how it is cut up, and what it refuses."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.xmpp import element as xml
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.namespaces import CLIENT, STREAMS
from cluster.xmpp.parser import MAX_DEPTH, MAX_NODES, Slice, StreamEnd, StreamHeader, StreamParser
from tests.unit.xmpp.spelling import HEADERS, USUAL, Draw, Header, facts, names, spell, stanzas, trees

END = b"</stream:stream>"


def parse(*chunks: bytes, max_stanza_bytes: int = 262_144) -> list[StreamHeader | Slice | StreamEnd]:
    parser, found = StreamParser(max_stanza_bytes), []
    for chunk in chunks:
        parser.feed(chunk, found)
    return found


def children(*chunks: bytes) -> list[Slice]:
    """The children of a stream with the usual header."""
    return [child for child in parse(USUAL.raw, *chunks) if isinstance(child, Slice)]


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def refusal(*chunks: bytes, max_stanza_bytes: int = 262_144) -> StreamCondition:
    """Why the chunks are refused."""
    with pytest.raises(StreamError) as caught:
        parse(*chunks, max_stanza_bytes=max_stanza_bytes)
    return caught.value.condition


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


# --- what is refused


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        # RFC 6120 section 11.1
        (b"<!-- hi -->", StreamCondition.RESTRICTED_XML),
        (b"<message><!-- hi --></message>", StreamCondition.RESTRICTED_XML),
        (b"<?php echo 1 ?>", StreamCondition.RESTRICTED_XML),
        (b"<message><?php echo 1 ?></message>", StreamCondition.RESTRICTED_XML),
        (b"<message>&nbsp;</message>", StreamCondition.RESTRICTED_XML),
        (b"<message to='&nbsp;'/>", StreamCondition.RESTRICTED_XML),
        # RFC 6120 section 11.3
        (b"<message></presence>", StreamCondition.NOT_WELL_FORMED),
        (b"<message to=a/>", StreamCondition.NOT_WELL_FORMED),
        (b"<message to='a' to='b'/>", StreamCondition.NOT_WELL_FORMED),
        (b"<message to='<'/>", StreamCondition.NOT_WELL_FORMED),
        (b"<message>]]></message>", StreamCondition.NOT_WELL_FORMED),
        (b"<message>\x00</message>", StreamCondition.NOT_WELL_FORMED),
        (b"<message>&#0;</message>", StreamCondition.NOT_WELL_FORMED),
        (b"<message>\xff</message>", StreamCondition.NOT_WELL_FORMED),
        (b"<message>\xed\xa0\x80</message>", StreamCondition.NOT_WELL_FORMED),  # a surrogate
        (b"<message>\xc0\xbc</message>", StreamCondition.NOT_WELL_FORMED),  # overlong
        (b"<p:message/>", StreamCondition.NOT_WELL_FORMED),  # an unbound prefix
        (b"<message xmlns:p=''/>", StreamCondition.NOT_WELL_FORMED),
        (b"<message xmlns='a b'/>", StreamCondition.NOT_WELL_FORMED),  # would forge `namespace name`
        (b"<message xmlns='a}b'/>", StreamCondition.NOT_WELL_FORMED),  # nor could a tree have it: `{namespace}name`
        (b"<message><x xmlns:p='a&#125;b' p:c=''/></message>", StreamCondition.NOT_WELL_FORMED),
        (b"<!DOCTYPE x><message/>", StreamCondition.NOT_WELL_FORMED),
        (END + b"<message/>", StreamCondition.NOT_WELL_FORMED),
        # between stanzas
        (b"hi", StreamCondition.BAD_FORMAT),
        (b" \n hi", StreamCondition.BAD_FORMAT),
        (b"&#32;<iq/>", StreamCondition.BAD_FORMAT),
        (b"<![CDATA[hi]]><iq/>", StreamCondition.BAD_FORMAT),
        (b"hi" + END, StreamCondition.BAD_FORMAT),
    ],
)
def test_refused(data: bytes, condition: StreamCondition) -> None:
    assert refusal(USUAL.raw, data) == condition
    assert refusal(USUAL.raw + b"<iq/>" + data) == condition
    assert refusal(*bytewise(USUAL.raw + data)) == condition


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><stream:stream>", StreamCondition.RESTRICTED_XML),
        (b"<!DOCTYPE x>", StreamCondition.RESTRICTED_XML),
        (b"<!-- hi -->", StreamCondition.RESTRICTED_XML),
        (b"<?xml version='1.0' encoding='UTF-16'?>", StreamCondition.UNSUPPORTED_ENCODING),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?>", StreamCondition.UNSUPPORTED_ENCODING),
        (USUAL.raw.decode().encode("utf-16"), StreamCondition.UNSUPPORTED_ENCODING),
        (USUAL.raw.decode().encode("utf-16-le"), StreamCondition.UNSUPPORTED_ENCODING),
        (USUAL.raw.decode().encode("utf-16-be"), StreamCondition.UNSUPPORTED_ENCODING),
        (USUAL.raw.decode().encode("utf-32"), StreamCondition.NOT_WELL_FORMED),
        (b"hi there", StreamCondition.NOT_WELL_FORMED),
        (b"GET / HTTP/1.1\r\n\r\n", StreamCondition.NOT_WELL_FORMED),
        (b"\x16\x03\x01\x02\x00\x01", StreamCondition.NOT_WELL_FORMED),  # TLS where none is expected
        (b"<stream:stream>", StreamCondition.NOT_WELL_FORMED),
        (f"<stream:stream xmlns:stream='{STREAMS}' xmlns:x='a}}b'>".encode(), StreamCondition.NOT_WELL_FORMED),
        (b"<html>", StreamCondition.BAD_FORMAT),
        (b"<stream>", StreamCondition.INVALID_NAMESPACE),
        (b"<stream:stream xmlns:stream='urn:x'>", StreamCondition.INVALID_NAMESPACE),
        (f"<stream:features xmlns:stream='{STREAMS}'>".encode(), StreamCondition.BAD_FORMAT),
    ],
)
def test_refused_instead_of_a_header(data: bytes, condition: StreamCondition) -> None:
    assert refusal(data) == condition
    assert refusal(*bytewise(data)) == condition


def test_utf_8_by_name_or_by_mark() -> None:
    for encoding in ("UTF-8", "utf-8"):
        named = USUAL.raw.replace(b"?>", f" encoding='{encoding}'?>".encode(), 1)
        assert parse(named, b"<iq/>") == parse(USUAL.raw, b"<iq/>")
    marked = USUAL.raw.decode().encode("utf-8-sig")
    assert parse(marked, b"<iq/>") == parse(*bytewise(marked + b"<iq/>")) == parse(USUAL.raw, b"<iq/>")


def test_what_came_before_a_fault_is_found() -> None:
    parser, found = StreamParser(), []
    with pytest.raises(StreamError):
        parser.feed(USUAL.raw + b"<iq/><presence/><<", found)
    assert [child.raw for child in found[1:]] == [b"<iq/>", b"<presence/>"]


# --- limits


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


def test_depth() -> None:
    assert children(nested(MAX_DEPTH))
    assert refusal(USUAL.raw + nested(MAX_DEPTH + 1)) == StreamCondition.POLICY_VIOLATION


def test_nodes() -> None:
    assert children(b"<a>" + b"<b c=''/>" * (MAX_NODES // 2 - 1) + b"</a>")
    assert refusal(USUAL.raw + b"<a>" + b"<b/>" * MAX_NODES + b"</a>") == StreamCondition.POLICY_VIOLATION
    many = " ".join(f"a{i}=''" for i in range(MAX_NODES))
    assert refusal(USUAL.raw + f"<a {many}/>".encode()) == StreamCondition.POLICY_VIOLATION


def test_nodes_are_counted_for_each_stanza() -> None:
    some = b"<a>" + b"<b/>" * (MAX_NODES - 1) + b"</a>"
    assert len(children(some, some, some * 2)) == 4


@pytest.mark.parametrize("raw", [b"<a>%s</a>", b"<a b='%s'/>", b"<a><b>%s</b></a>", b"<%s/>"])
def test_size(raw: bytes) -> None:
    limit = 1000
    fits = raw % (b"x" * (limit - len(raw) + 2))
    big = raw % (b"x" * (limit - len(raw) + 3))
    assert len(fits) == limit
    for chunks in ([fits], bytewise(fits), [b"<iq/>" + fits + b"<iq/>"]):
        assert fits in [child.raw for child in parse(USUAL.raw, *chunks, max_stanza_bytes=limit)[1:]]
    for chunks in ([big], bytewise(big), [b"<iq/>" + big + b"<iq/>"]):
        assert refusal(USUAL.raw, *chunks, max_stanza_bytes=limit) == StreamCondition.POLICY_VIOLATION


@pytest.mark.parametrize(
    "flood",
    [
        (USUAL.raw, b"<message><body>", b"x"),
        (USUAL.raw, b"<message to='", b"x"),
        (USUAL.raw, b"<", b"x"),
        (USUAL.raw, b"<message><![CDATA[", b"x"),
        (USUAL.raw, b"<![CDATA[", b"x"),
        (USUAL.raw, b"<!--", b"x"),
        (USUAL.raw, b"<message>", b"<b/>"),
        (USUAL.raw, b"</stream:stream", b" "),
        (USUAL.raw, END, b" "),
        (b"", b"<stream:stream to='", b"x"),
        (b"", b"", b" "),
        (b"", b"<!DOCTYPE x [", b"<!ENTITY a 'b'>"),
    ],
)
def test_memory_stays_bounded(flood: tuple[bytes, bytes, bytes]) -> None:
    before, begin, more = flood
    limit = 10_000
    parser = StreamParser(limit)

    def drown() -> None:
        parser.feed(before + begin, [])
        for _ in range(limit):
            parser.feed(more * 10, [])
            assert parser.pending_bytes <= limit

    with pytest.raises(StreamError):
        drown()


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
