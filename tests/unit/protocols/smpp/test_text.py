"""Alphabets, and what fits into one short message."""

from __future__ import annotations

import pytest
import smpplib.gsm
from hypothesis import given
from hypothesis import strategies as st
from smpplib.exceptions import PDUError

from cluster.protocols.smpp import gsm, text
from cluster.protocols.smpp.constants import DataCoding
from cluster.protocols.smpp.text import Encoded, TextTooLong

GSM_TEXT = st.text(st.sampled_from([character for character in map(chr, range(0x2200)) if gsm.encode(character)]))


def test_the_alphabet_is_smpplibs() -> None:
    """An independent table, but for its mistakes: no form feed, ` where § belongs, an escape that is a character."""
    different = set()
    for character in map(chr, range(0x2200)):
        try:
            theirs = smpplib.gsm.gsm_encode(character)
        except (PDUError, UnicodeError):
            theirs = None
        if gsm.encode(character) != theirs:
            different.add(character)
    assert different == set("\f\x1b`§")


def test_the_alphabet_has_all_its_characters() -> None:  # 3GPP TS 23.038 sections 6.2.1 and 6.2.1.1
    assert sum(gsm.encode(chr(code)) is not None for code in range(0x2200)) == 127 + 10


@given(GSM_TEXT)
def test_gsm_text_comes_back(words: str) -> None:
    encoded = gsm.encode(words)
    assert encoded is not None
    assert gsm.decode(encoded) == words


@given(st.binary())
def test_any_septets_are_some_text(octets: bytes) -> None:
    gsm.decode(octets)


@given(st.integers(0, 255), st.binary())
def test_any_data_coding_is_some_text(data_coding: int, octets: bytes) -> None:
    text.decode(data_coding, octets)


@pytest.mark.parametrize(
    ("data_coding", "octets", "words"),
    [
        (0, b"\x00\x02\x1be", "@$€"),
        (1, b"@$_\n", "@$_\n"),
        (1, b"\x1be 5", "€ 5"),  # node-smpp
        (3, b"caf\xe9", "café"),
        (8, b"\xd8\x3c\xdf\x39", "🌹"),
        (4, b"\x01\x02", "[a short message that is not a text: data_coding 4, 0102]"),
    ],
)
def test_data_codings(data_coding: int, octets: bytes, words: str) -> None:  # SMPP 3.4 section 5.2.19
    assert text.decode(data_coding, octets) == words


@pytest.mark.parametrize(
    ("words", "coding", "sizes"),
    [
        ("", DataCoding.DEFAULT, [0]),
        ("a" * 160, DataCoding.DEFAULT, [160]),
        ("a" * 161, DataCoding.DEFAULT, [153, 8]),
        ("€" * 80, DataCoding.DEFAULT, [160]),
        ("a" + "€" * 80, DataCoding.DEFAULT, [153, 8]),
        ("€" * 81, DataCoding.DEFAULT, [152, 10]),  # no part begins in the middle of a character
        ("ж" * 70, DataCoding.UCS_2, [140]),
        ("ж" * 71, DataCoding.UCS_2, [134, 8]),
        ("🌹" * 35, DataCoding.UCS_2, [140]),
        ("🌹" * 36, DataCoding.UCS_2, [132, 12]),
        ("a" * (153 * 255), DataCoding.DEFAULT, [153] * 255),
    ],
)
def test_the_alphabet_and_the_parts(words: str, coding: DataCoding, sizes: list[int]) -> None:
    encoded = text.encode(words)
    assert encoded.data_coding is coding
    assert [len(part) for part in encoded.parts] == sizes
    assert text.decode(coding, b"".join(encoded.parts)) == words


@given(st.text(max_size=400))
def test_every_part_of_a_text_can_be_read_alone(words: str) -> None:
    words = words.encode("utf-16-be", "replace").decode("utf-16-be")
    encoded: Encoded = text.encode(words)
    assert "".join(text.decode(encoded.data_coding, part) for part in encoded.parts) == words


def test_a_text_may_be_too_long() -> None:
    with pytest.raises(TextTooLong, match="256 short messages"):
        text.encode("a" * (153 * 255 + 1))


@pytest.mark.parametrize(
    ("data_coding", "octets", "words"),
    [
        *((coding, b"\x00 hi", "@ hi") for coding in (0x00, 0x10, 0x13, 0x40, 0x80, *range(0xC0, 0xE0))),
        *((coding, b"\x00 hi", "@ hi") for coding in (0xF0, 0xF1, 0xF2, 0xF3)),
        *((coding, "жя".encode("utf-16-be"), "жя") for coding in (0x08, 0x18, 0x1B, 0x48, *range(0xE0, 0xF0))),
        (0x06, "жя".encode("iso8859-5"), "жя"),
        (0x07, "שלום".encode("iso8859-8"), "שלום"),
        (0x0A, "漢字".encode("iso2022_jp"), "漢字"),
        (0x0E, "한글".encode("euc_kr"), "한글"),
    ],
)
def test_classes_and_indications_are_texts(data_coding: int, octets: bytes, words: str) -> None:
    """3GPP TS 23.038 section 4, SMPP 3.4 section 5.2.19."""
    assert text.decode(data_coding, octets) == words


@pytest.mark.parametrize("data_coding", [0x02, 0x04, 0x05, 0x09, 0x14, 0x20, 0x28, 0x44, 0xF4, 0xF7])
def test_binary_and_compressed_messages_are_no_texts(data_coding: int) -> None:
    assert "not a text" in text.decode(data_coding, b"hi")
