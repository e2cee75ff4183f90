"""The incremental parser: what it refuses, and its limits."""

from __future__ import annotations

import msgspec
import pytest

from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.limits import FROM_CLIENT
from cluster.xmpp.namespaces import STREAMS
from cluster.xmpp.parser import StreamParser
from tests.unit.xmpp.parsing import END, bytewise, children, parse
from tests.unit.xmpp.spelling import USUAL


def refusal(*chunks: bytes, max_stanza_bytes: int = 262_144) -> StreamCondition:
    """Why the chunks are refused."""
    with pytest.raises(StreamError) as caught:
        parse(*chunks, max_stanza_bytes=max_stanza_bytes)
    return caught.value.condition


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
        (b"<message><p:x xmlns:p='%b'/></message>" % (b"u" * 2_049), StreamCondition.POLICY_VIOLATION),
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
        (USUAL.raw.decode().encode("utf-32"), StreamCondition.UNSUPPORTED_ENCODING),
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
    assert children(nested(FROM_CLIENT.max_depth))
    assert refusal(USUAL.raw + nested(FROM_CLIENT.max_depth + 1)) == StreamCondition.POLICY_VIOLATION


def test_nodes() -> None:
    assert children(b"<a>" + b"<b c=''/>" * (FROM_CLIENT.max_nodes // 2 - 1) + b"</a>")
    assert refusal(USUAL.raw + b"<a>" + b"<b/>" * FROM_CLIENT.max_nodes + b"</a>") == StreamCondition.POLICY_VIOLATION
    many = " ".join(f"a{i}=''" for i in range(FROM_CLIENT.max_nodes))
    assert refusal(USUAL.raw + f"<a {many}/>".encode()) == StreamCondition.POLICY_VIOLATION


def test_nodes_are_counted_for_each_stanza() -> None:
    some = b"<a>" + b"<b/>" * (FROM_CLIENT.max_nodes - 1) + b"</a>"
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
    parser = StreamParser(msgspec.structs.replace(FROM_CLIENT, max_bytes=limit))

    def drown() -> None:
        parser.feed(before + begin, [])
        for _ in range(limit):
            parser.feed(more * 10, [])
            assert parser.pending_bytes <= limit

    with pytest.raises(StreamError):
        drown()
