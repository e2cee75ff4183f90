"""A stream that comes in pieces, of which one is repeated: what it costs must be of the order of its size."""

from __future__ import annotations

import contextlib

from cluster.xmpp.errors import StreamError
from tests.fuzz.meter import metered
from tests.unit.xmpp.spelling import USUAL

STEP = b"\xff"
"""Stands between the parts of an input, as in targets.py."""
CUTS = (1, 2, 3, 7, 64, 1_000)
"""Bytes that come at a time."""
MAX_BYTES = 2_000
"""How much the repeated piece makes in all."""
STEPS_PER_BYTE = 40
"""What the parser may do for each byte that comes: some twenty is the most. With each byte it would be thousands."""


def dribble(data: bytes) -> None:
    """The first byte says how the rest is cut: what begins, what is repeated, what follows. Raises where it is dear."""
    if not data:
        return
    size, is_first = CUTS[data[0] % len(CUTS)], data[0] & 128
    begin, repeated, end = [*data[1:].split(STEP), b"", b""][:3]
    repeated *= MAX_BYTES // max(1, len(repeated))
    sent = (b"" if is_first else USUAL.raw) + begin + repeated + end
    with metered() as (meter, given, parser), contextlib.suppress(StreamError):
        subject, allowed = parser(), 0
        for at in range(0, len(sent), size):
            piece = given(sent[at : at + size])
            allowed += STEPS_PER_BYTE * (len(piece) + 1)
            subject.feed(piece, [])
            assert meter.steps <= allowed, f"{meter.steps} steps for {at + size} bytes, {size} at a time"


def seeds() -> list[bytes]:
    """What is dear where a scan begins anew with every piece."""
    begun = [
        b"<a ", b"<a b='", b'<a b="', b"</a ", b"<message><body>", b"&", b"<message><a b='&", b"<![CDATA[",
        b"<![CDATA[ it's ", b"<message><![CDATA[", b"<!--", b"<!-- '", b"<?x ", b"<!DOCTYPE a [", b"<",
        b"<a><b c='\" ", b" ",
    ]  # fmt: skip
    pieces = [
        b";",
        b">",
        b"<",
        b"&",
        b"'",
        b'"',
        b"x",
        b" ",
        b"&amp;",
        b"<b/>",
        b"]",
        b"c='d' ",
        b"''",
        b"&x",
        b"<'",
        b"-",
        b"\r",
    ]
    parts = [STEP.join([each, piece, b"'/>"]) for each in begun for piece in pieces]
    firsts = [
        STEP.join([each, piece, b"?>"]) for each in (b"<?xml ", b"", b"\xfe\xff<", b"<\0", b"<!--") for piece in pieces
    ]
    return [bytes([0]) + part for part in parts] + [bytes([128]) + part for part in firsts]
