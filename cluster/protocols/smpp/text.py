"""Texts as the octets of short messages: their alphabet, and their division into parts."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cluster.protocols.smpp import gsm
from cluster.protocols.smpp.constants import DataCoding

MAX_PARTS = 255
"""The count has one octet (3GPP TS 23.040 section 9.2.3.24.1)."""

_CONTROL = frozenset(range(32)) - frozenset(b"\t\n\r")
"""Control characters that ASCII texts do not have. Some programs (node-smpp) say ASCII and write GSM 7-bit, where @ $ _
€ begin with these."""


class TextTooLong(ValueError):
    """More than 255 parts."""


class Encoded(msgspec.Struct, frozen=True):
    """An encoded text: one part, or several that need a header to be joined again."""

    data_coding: DataCoding
    parts: tuple[bytes, ...]


def encode(text: str) -> Encoded:
    """GSM 7-bit if the text allows it, otherwise UCS-2. One part takes 160 septets or 70 units, one of several 153 or
    67.

    No part begins in the middle of an extended or a supplementary character. Raises TextTooLong.
    """
    septets = gsm.encode(text)
    if septets is not None:
        coding, octets, alone, together = DataCoding.DEFAULT, septets, 160, 153
    else:
        # as phones do: UTF-16 instead of UCS-2, so that emoji work
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


_CHARSETS: dict[int, str] = {
    DataCoding.ASCII: "ascii",
    DataCoding.LATIN_1: "latin-1",
    DataCoding.CYRILLIC: "iso8859-5",
    DataCoding.HEBREW: "iso8859-8",
    DataCoding.UCS_2: "utf-16-be",
    DataCoding.ISO_2022_JP: "iso2022_jp",
    DataCoding.KS_C_5601: "euc_kr",
}


def alphabet_of(data_coding: int) -> DataCoding | None:
    """The alphabet of the octets; None if they are not a text.

    Values below 16 are those of SMPP (section 5.2.19), those above are of 3GPP TS 23.038 section 4: a message class or
    a message waiting indication, and an alphabet.
    """
    group = data_coding >> 4
    if group == 0:
        known = data_coding == DataCoding.DEFAULT or data_coding in _CHARSETS
        return DataCoding(data_coding) if known else None
    if group in (0xC, 0xD):  # message waiting, the text to be discarded or stored
        return DataCoding.DEFAULT
    if group == 0xE:
        return DataCoding.UCS_2
    if group == 0xF:  # data coding and message class: bit 2 is set for 8-bit data
        return None if data_coding & 0b0100 else DataCoding.DEFAULT
    if group >= 8:
        return DataCoding.DEFAULT  # reserved, "shall be assumed to be the GSM 7 bit default alphabet"
    if data_coding & 0b10_0000:
        return None  # compressed (3GPP TS 23.042)
    return {0b00: DataCoding.DEFAULT, 0b10: DataCoding.UCS_2}.get(data_coding >> 2 & 0b11)


def decode(data_coding: int, octets: bytes) -> str:
    """The text of a whole message; content that is not a text becomes a text that says so."""
    alphabet = alphabet_of(data_coding)
    if alphabet is None:
        return f"[a short message that is not a text: data_coding {data_coding}, {octets.hex()}]"
    if alphabet is DataCoding.DEFAULT or (alphabet is DataCoding.ASCII and not _CONTROL.isdisjoint(octets)):
        return gsm.decode(octets)
    return octets.decode(_CHARSETS[alphabet], "replace")
