"""A namespace is refused by what it is, however the bytes around it look and are cut."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.xmpp import parser as module
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.limits import MAX_NAMESPACE
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from cluster.xmpp.tokens import may_have_long_namespace
from tests.unit.xmpp.spelling import USUAL

Outcome = tuple[list[StreamHeader | Slice | StreamEnd], StreamCondition | None]

LENGTHS = st.one_of(st.integers(0, 2), st.integers(MAX_NAMESPACE - 2, MAX_NAMESPACE + 1))
CHARACTERS = ("u", "é", "😀", "&amp;", "&#117;")
ENDS = ("", ">", "}", "&#125;", "&#x7d;", "&apos;", " ", "<")
FILLERS = ("", "x" * MAX_NAMESPACE, "&amp;", "&#125;", "}", "<![CDATA[<x xmlns='\">&]]>", "<y/>" * 600, "#")


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Stanzas with namespaces near the bound, between all that could hide them."""
    stanzas = []
    for _ in range(draw(st.integers(1, 3))):
        uri = draw(st.sampled_from(CHARACTERS)) * draw(LENGTHS) + draw(st.sampled_from(ENDS))
        filler = draw(st.sampled_from(FILLERS)) if draw(st.booleans()) else ""
        name = draw(st.sampled_from(["xmlns", "xmlns:p", "id"]))
        stanzas.append(f"<message><a>{filler}</a><b to='>' {name}=\"{uri}\"/></message>")
    return "".join(stanzas).encode()


def outcome(chunks: list[bytes]) -> Outcome:
    """What the parser finds, and why it refuses the rest."""
    parser, found = StreamParser(), []
    try:
        for chunk in chunks:
            parser.feed(chunk, found)
    except StreamError as error:
        return found, error.condition
    return found, None


@given(streams(), st.lists(st.integers(0, 40_000), max_size=6))
def test_each_declaration_that_has_to_be_is_checked(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    chunks = [USUAL.raw, *(stream[begin:end] for begin, end in pairwise(edges))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "may_have_odd_namespace", lambda _: True)
        expected = outcome(chunks)
    assert outcome(chunks) == expected


@pytest.mark.parametrize("at", range(0, 2_100, 75))
def test_a_long_namespace_in_two_pieces(at: int) -> None:
    raw = b"<iq/><message><p:x xmlns:p='%b'/></message>" % (b"u" * (MAX_NAMESPACE + 1))
    assert outcome([USUAL.raw, raw[:at], raw[at:]])[1] == StreamCondition.POLICY_VIOLATION


@given(st.lists(st.integers(0, 3 * MAX_NAMESPACE), max_size=6))
def test_a_run_without_a_tag_is_seen_wherever_it_is(runs: list[int]) -> None:
    assert may_have_long_namespace(b"<".join(b"x" * run for run in runs)) == any(run >= MAX_NAMESPACE for run in runs)


def test_a_long_stream_of_short_tags_has_none() -> None:
    assert not may_have_long_namespace(b"<message><body>hi</body></message>" * 2_000)


def test_no_pattern_repeats_a_group_possessively() -> None:
    """It may end at a wrong place on Python before 3.11.5, such as that of Debian 12."""
    sources = (Path(__file__).parents[3] / "cluster" / "xmpp").rglob("*.py")
    assert not [path for path in sources if re.search(r"\)[*+?}]\+", path.read_text())]
