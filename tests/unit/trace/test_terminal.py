"""What others wrote does nothing to the terminal that it is shown in."""

from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from cluster.trace.terminal import safe, safe_indented, safe_json, safe_line

ANY = st.text(st.characters(codec=None, exclude_categories=()))


def is_harmless(text: str, allowed: str = "\n\t") -> bool:
    """No control character, no direction that is forced on what follows, nothing that cannot be written."""
    forced = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    return all(
        each in allowed
        or (
            unicodedata.category(each) not in ("Cc", "Cs", "Zl", "Zp") and unicodedata.bidirectional(each) not in forced
        )
        for each in text
    )


@given(ANY)
def test_any_text_is_harmless(text: str) -> None:
    assert is_harmless(safe(text))
    assert is_harmless(safe_line(text), "")
    assert is_harmless(safe_json(json.dumps(text, ensure_ascii=False)), "")
    safe(text).encode()


@given(ANY)
def test_json_stays_the_same_document(text: str) -> None:
    assert json.loads(safe_json(json.dumps({"x": text}, indent=2, ensure_ascii=False))) == {"x": text}


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp"), exclude_characters="\ufffe\uffff")))
def test_an_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe_line(text) == text


def test_how_it_is_shown() -> None:
    assert safe("\x9b31mred\x1b[0m\x07 \u202egnp.exe") == r"\x9b31mred\x1b[0m\x07 \u202egnp.exe"
    assert safe_line("a\nb\tc\r") == r"a\nb\tc\x0d"
    assert safe_indented("a\n12:00:00  romeo: b", "  ") == "a\n  12:00:00  romeo: b"
    assert safe("שלום \u200f مرحبا") == "שלום \u200f مرحبا"
