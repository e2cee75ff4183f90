"""Chunks of a stream, and what the parser finds in them."""

from __future__ import annotations

import msgspec

from cluster.xmpp.limits import FROM_CLIENT
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from tests.unit.xmpp.spelling import USUAL

END = b"</stream:stream>"


def parse(*chunks: bytes, max_stanza_bytes: int = 262_144) -> list[StreamHeader | Slice | StreamEnd]:
    parser, found = StreamParser(msgspec.structs.replace(FROM_CLIENT, max_bytes=max_stanza_bytes)), []
    for chunk in chunks:
        parser.feed(chunk, found)
    return found


def children(*chunks: bytes) -> list[Slice]:
    """The children of a stream with the usual header."""
    return [child for child in parse(USUAL.raw, *chunks) if isinstance(child, Slice)]


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]
