"""The quick look at many stanzas never lets through what the slow look at each would not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cluster.xmpp.stanza import Stanza
from cluster.xmpp.wellformed import are_elements, why_malformed

PARTS = (
    "<message from='r@m.lit'>", "<message from='r@m.lit'/>", "<message>", "</message>", "</message >", "<messages>",
    "</messages>", "<iq from='h@s.lit'>", "</iq>", "<iq/>", "<body>", "</body>", "<x>", "</x>", "text", " ",
    "<!--", "-->", "<![CDATA[", "]]>", "<?pi?>", "<p:q/>", "<p:message xmlns:p='u'>", "</p:message>",
    "<y xmlns='u}v'/>", "&amp;", "&x;",
)  # fmt: skip
raw_stanzas = st.lists(st.sampled_from(PARTS), max_size=6).map(
    lambda parts: f"<message from='r@m.lit'>{''.join(parts)}"
)


def stanza(raw: str) -> Stanza:
    return Stanza("message", None, None, None, None, (), raw.encode())


@given(st.lists(st.one_of(raw_stanzas, raw_stanzas.map(lambda raw: f"{raw}</message>")), min_size=2, max_size=4))
@example(["<message from='r@m.lit'><body></message>", "<message from='r@m.lit'></body></message>"])
@example(["<message from='r@m.lit'></message><iq from='h@s.lit'></iq>", "<message from='r@m.lit'></message>"])
@example(["<message from='r@m.lit'><![CDATA[</message>", "<message from='r@m.lit'>]]></message>"])
def test_what_is_whole_together_is_whole_alone(raws: list[str]) -> None:
    if are_elements([stanza(raw) for raw in raws], b"xunknown"):
        assert [why_malformed(raw.encode()) for raw in raws] == ["" for _ in raws]


@pytest.mark.parametrize("text", ["hi!", "<p:q xmlns:p='u'><p:q/></p:q>", "<![CDATA[<message]]>"])
def test_whole_stanzas_are(text: str) -> None:
    raw = f"<message from='r@m.lit'><body>{text}</body></message>"
    assert why_malformed(raw.encode()) == ""
    assert are_elements([stanza(raw)] * 3, b"xunknown") is (
        "<message" not in text
    )  # else nobody knows without a look at each


def test_a_namespace_has_a_bound() -> None:
    """expat writes it in front of each name with its prefix."""
    raws = [f"<message from='r@m.lit' xmlns:p='{'u' * length}'><p:x/></message>" for length in (2_048, 2_049)]
    assert [bool(why_malformed(raw.encode())) for raw in raws] == [False, True]
    assert [are_elements([stanza(raw)] * 2, b"xunknown") for raw in raws] == [True, False]


def test_a_long_stanza_may_have_a_short_namespace() -> None:
    raw = f"<message from='r@m.lit' xmlns:p='u'><p:x>{'x' * 10_000}</p:x></message>"
    assert why_malformed(raw.encode()) == ""
    assert are_elements([stanza(raw)] * 2, b"xunknown")


@pytest.mark.parametrize(
    "before",
    ["<?xml version='1.0'?>", "<?xml version='1.0' encoding='iso-8859-1'?>", "<!DOCTYPE message>",
     "<!DOCTYPE message [<!ENTITY a 'b'>]>", "<!-- hi -->", "<?php echo 1 ?>"],
)  # fmt: skip
def test_only_an_element_is_one(before: str) -> None:
    """RFC 6120 section 11.1: each would end the stream that it is written into."""
    assert why_malformed(f"{before}<message/>".encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_another_encoding_is_not_well_formed(encoding: str) -> None:
    """RFC 6120 section 11.6."""
    assert why_malformed("<message/>".encode(encoding))
