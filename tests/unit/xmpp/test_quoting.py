"""Text in XML is written as Python's own library writes it."""

from __future__ import annotations

from xml.sax import saxutils

from hypothesis import given
from hypothesis import strategies as st

from cluster.xmpp.quoting import escape, quoteattr

TEXTS = st.text(st.sampled_from("&<>'\"\n\r\t ab€"), max_size=8)


@given(TEXTS)
def test_as_the_library_does(text: str) -> None:
    assert escape(text) == saxutils.escape(text)
    assert quoteattr(text) == saxutils.quoteattr(text)
