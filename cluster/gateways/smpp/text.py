"""Text as the octets of short messages: which alphabet, and in how many parts."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cluster.gateways.smpp import gsm
from cluster.gateways.smpp.constants import DataCoding

MAX_PARTS = 255
"""The count has one octet (3GPP TS 23.040 section 9.2.3.24.1)."""

_CONTROL = frozenset(range(32)) - frozenset(b"\t\n\r")
"""No ASCII text has these; but some programs (node-smpp) say ASCII and write GSM 7-bit, where @ $ _ € begin so."""


class TextTooLong(ValueError):
    """More than 255 parts."""


class Encoded(msgspec.Struct, frozen=True):
    """A text as a phone takes it: one part, or several that need a header to be joined again."""

    data_coding: DataCoding
    parts: tuple[bytes, ...]


def encode(text: str) -> Encoded:
    """GSM 7-bit where the text allows it, else UCS-2. One part takes 160 septets or 70 units, one of several 153 or 67.

    No part begins in the middle of an extended or a supplementary character. Raises TextTooLong.
    """
    septets = gsm.encode(text)
    if septets is not None:
        coding, octets, alone, together = DataCoding.DEFAULT, septets, 160, 153
    else:
        # as every phone does: what is called UCS-2 is UTF-16, so that there are emoji
        coding, octets, alone, together = DataCoding.UCS_2, text.encode("utf-16-be", "replace"), 140, 134
    if len(octets) <= alone:
        return Encoded(coding, (octets,))
    parts = tuple(_cut(coding, octets, together))
    if len(parts) > MAX_PARTS:
        raise TextTooLong(f"the text needs {len(parts)} short messages; at most {MAX_PARTS} can be joined")
    return Encoded(coding, parts)


def _cut(coding: DataCoding, octets: bytes, size: int) -> Iterator[bytes]:
    at = 0
    while at < len(octets):
        end = min(at + size, len(octets))
        if end < len(octets):
            if coding is DataCoding.UCS_2 and 0xD8 <= octets[end - 2] <= 0xDB:
                end -= 2  # the first half of a surrogate pair
            elif coding is DataCoding.DEFAULT and octets[end - 1] == gsm.ESCAPE:
                end -= 1
        yield octets[at:end]
        at = end


def decode(data_coding: int, octets: bytes) -> str:
    """The text of a whole message; what is no text is told of as such, never an error."""
    match data_coding:
        case DataCoding.DEFAULT:
            return gsm.decode(octets)
        case DataCoding.ASCII if not _CONTROL.isdisjoint(octets):
            return gsm.decode(octets)
        case DataCoding.ASCII:
            return octets.decode("ascii", "replace")
        case DataCoding.LATIN_1:
            return octets.decode("latin-1")
        case DataCoding.UCS_2:
            return octets.decode("utf-16-be", "replace")
    return f"[a short message that is no text: data_coding {data_coding}, {octets.hex()}]"
