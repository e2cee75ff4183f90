"""JID Escaping: every example of XEP-0106, and what follows from its rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.xmpp.extensions.escaping import escape, unescape
from cluster.xmpp.jid import Jid

EXAMPLES = [
    # section 5.1
    ("space cadet", r"space\20cadet"),
    ('call me "ishmael"', r"call\20me\20\22ishmael\22"),
    ("at&t guy", r"at\26t\20guy"),
    ("d'artagnan", r"d\27artagnan"),
    ("/.fanboy", r"\2f.fanboy"),
    ("::foo::", r"\3a\3afoo\3a\3a"),
    ("<foo>", r"\3cfoo\3e"),
    ("user@host", r"user\40host"),
    (r"c:\net", r"c\3a\net"),
    (r"c:\\net", r"c\3a\\net"),
    (r"c:\cool stuff", r"c\3a\cool\20stuff"),
    (r"c:\5commas", r"c\3a\5c5commas"),
    # section 3.3
    ("tréville@musketeers.lit", r"tréville\40musketeers.lit"),
    # sections 5.2 to 5.4
    ("here's_a_wild_&_/cr%zy/_address", r"here\27s_a_wild_\26_\2fcr%zy\2f_address"),
    # section 5.5
    (
        """here's_a_wild_&_/cr%zy/_address_for:<wv>("IMPS")""",
        r"here\27s_a_wild_\26_\2fcr%zy\2f_address_for\3a\3cwv\3e(\22IMPS\22)",
    ),
    (r"\3and\2is\5cool", r"\5c3and\2is\5c5cool"),
    # section 5.6
    (
        r"CN=D'Artagnan Saint-Andr\E9,O=Example & Company, Inc.,DC=example,DC=com",
        r"CN=D\27Artagnan\20Saint-Andr\E9,O=Example\20\26\20Company,\20Inc.,DC=example,DC=com",
    ),
    # section 5.7
    ("""somenick!user"&'/:<>\\3address""", r"somenick!user\22\26\27\2f\3a\3c\3e\5c3address"),
    # section 4.3
    (r"\2plus\2is\4", r"\2plus\2is\4"),
    (r"foo\bar", r"foo\bar"),
    (r"foob\41r", r"foob\41r"),
]


@pytest.mark.parametrize(("plain", "escaped"), EXAMPLES)
def test_examples(plain: str, escaped: str) -> None:
    assert escape(plain) == escaped
    assert unescape(escaped) == plain


@pytest.mark.parametrize("plain", [" cadet", "cadet ", " "])
def test_no_space_at_the_ends(plain: str) -> None:
    with pytest.raises(ValueError, match="XEP-0106"):
        escape(plain)


addresses = st.text(st.sampled_from(" \"&'/:<>@\\0234567acef-é"), min_size=1).filter(lambda text: text == text.strip())


@given(addresses)
def test_every_address_comes_back(plain: str) -> None:
    assert unescape(escape(plain)) == plain


@given(addresses)
def test_what_is_escaped_is_a_localpart(plain: str) -> None:
    assert unescape(Jid.parse(f"{escape(plain)}@mail.montague.lit").localpart) == plain
