"""Addresses: what is one, which are the same, and how they are written (RFC 7622)."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cluster.xmpp import jid as jid_module
from cluster.xmpp.jid import (
    MAX_PART_BYTES,
    Jid,
    JidError,
    mended_resourcepart,
    prepare_domainpart,
    prepare_localpart,
    prepare_resourcepart,
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        # RFC 7622 section 3.5, table 1
        ("juliet@example.com", ("juliet", "example.com", "")),
        ("juliet@example.com/foo", ("juliet", "example.com", "foo")),
        ("juliet@example.com/foo bar", ("juliet", "example.com", "foo bar")),
        ("juliet@example.com/foo@bar", ("juliet", "example.com", "foo@bar")),
        (r"foo\20bar@example.com", (r"foo\20bar", "example.com", "")),
        ("fussball@example.com", ("fussball", "example.com", "")),
        ("fu\u00dfball@example.com", ("fu\u00dfball", "example.com", "")),
        ("\u03c0@example.com", ("\u03c0", "example.com", "")),
        ("\u03a3@example.com/foo", ("\u03c3", "example.com", "foo")),
        ("\u03c3@example.com/foo", ("\u03c3", "example.com", "foo")),
        ("\u03c2@example.com/foo", ("\u03c2", "example.com", "foo")),
        ("king@example.com/\u265a", ("king", "example.com", "\u265a")),
        ("example.com", ("", "example.com", "")),
        ("example.com/foobar", ("", "example.com", "foobar")),
        ("a.example.com/b@example.net", ("", "a.example.com", "b@example.net")),
        # erratum 4560: OpaqueString takes the leading space that the RFC's table 2 refuses
        ("juliet@example.com/ foo", ("juliet", "example.com", " foo")),
        # section 3.1: the first '/' ends the address, wherever an '@' is
        ("a@b/c/d@e/", ("a", "b", "c/d@e/")),
        # section 3.2: letter case, final dot, A-labels, full-width and ideographic dots, IP addresses
        ("Juliet@EXAMPLE.Com./Balcony", ("juliet", "example.com", "Balcony")),
        ("romeo@fu\u00df.example", ("romeo", "fu\u00df.example", "")),
        ("romeo@xn--fu-hia.example", ("romeo", "fu\u00df.example", "")),
        ("romeo@XN--FU-HIA.EXAMPLE", ("romeo", "fu\u00df.example", "")),
        ("romeo@M\u00dcNCHEN.lit", ("romeo", "m\u00fcnchen.lit", "")),
        ("example\u3002com\uff0e", ("", "example.com", "")),
        ("romeo@127.0.0.1", ("romeo", "127.0.0.1", "")),
        ("romeo@[2001:DB8:0::1]/pda", ("romeo", "[2001:db8::1]", "pda")),
        # section 3.3: full-width letters, and one way to write an accent
        ("\uff32omeo@example.com", ("romeo", "example.com", "")),
        ("ame\u0301lie@example.com", ("am\u00e9lie", "example.com", "")),
        ("tom+tag!#$%*=?^`{|}~()[];\\,@example.com", ("tom+tag!#$%*=?^`{|}~()[];\\,", "example.com", "")),
        # section 3.4: case is kept, odd spaces become usual ones
        ("example.com/A\u00a0a\u3000\u0301", ("", "example.com", "A a \u0301")),
    ],
)
def test_valid(text: str, parts: tuple[str, str, str]) -> None:
    jid = Jid.parse(text)
    assert (jid.localpart, jid.domainpart, jid.resourcepart) == parts
    assert Jid.parse(str(jid)) == jid


@pytest.mark.parametrize(
    "text",
    [
        # RFC 7622 section 3.5, table 2
        '"juliet"@example.com',
        "foo bar@example.com",
        "@example.com",
        "@example.com/",
        "henry\u2163@example.com",
        "\u265a@example.com",
        "juliet@",
        "/foobar",
        # nothing there
        "",
        "@",
        "/",
        ".",
        "juliet@/foo",
        "juliet@example.com/",
        "juliet@.",
        # section 3.3.1
        *(f"a{character}b@example.com" for character in "\"&':<> \t\n\x00\x7f\x01\u00a0"),
        "a@b@example.com",
        # what width mapping would turn into one of those
        *(f"a{character}b@example.com" for character in "\uff20\uff0f\uff1a\uff02\uff06\uff07\uff1c\uff1e\u3000"),
        # not for identifiers (RFC 8264 section 9)
        "\ufb01n@example.com",
        "a\u200bb@example.com",
        "\U0010ffff@example.com",
        "\ud800@example.com",
        # the Bidi Rule (RFC 5893 section 2)
        "a\u05d0@example.com",
        # domains
        "a@b..c",
        "a@.b",
        "a@b..",
        "a@-b.c",
        "a@b-.c",
        "a@b_c.d",
        "a@b c",
        "a@b\u2100c",
        "a@xn--",
        "a@xn--\u00fc",
        f"a@{'b' * 64}.c",
        f"a@{'B' * 64}.c",
        "a@\ud800",
        "a@[::1",
        "a@[]",
        "a@[example.com]",
        "a@[127.0.0.1]",
        "a@[fe80::1%eth0]",
        # resources
        "a@b/\t",
        "a@b/\x7f",
        "a@b/\ufffe",
        "a@b/\ud800",
    ],
)
def test_invalid(text: str) -> None:
    with pytest.raises(JidError):
        Jid.parse(text)


@pytest.mark.parametrize("part", ["{}@b", "{}.b", "a@b/{}"])
def test_length(part: str) -> None:
    # RFC 7622 sections 3.2 to 3.4: octets, not characters
    labels = ".".join(["d" * 63] * 16)
    fill = labels[: MAX_PART_BYTES - 2] if part == "{}.b" else "a" * MAX_PART_BYTES
    Jid.parse(part.format(fill))
    with pytest.raises(JidError, match="longer than 1023 bytes"):
        Jid.parse(part.format(fill + "aa"))
    with pytest.raises(JidError, match="longer than 1023 bytes"):
        Jid.parse(part.format("\u00e9" * 512))


def test_equal_addresses() -> None:
    assert Jid.parse("Romeo@Montague.LIT./pda") == Jid("romeo", "montague.lit", "pda")
    assert Jid.parse("romeo@montague.lit/PDA") != Jid.parse("romeo@montague.lit/pda")
    assert hash(Jid.parse("ROMEO@montague.lit")) == hash(Jid.parse("romeo@montague.lit"))
    # RFC 7622 section 3.5: these are different people
    assert Jid.parse("fu\u00dfball@example.com") != Jid.parse("fussball@example.com")
    assert Jid.parse("\u03c2@example.com") != Jid.parse("\u03c3@example.com")


def test_parts() -> None:
    full = Jid.parse("romeo@montague.lit/pda")
    assert full.bare == Jid("romeo", "montague.lit")
    assert full.bare.bare == full.bare
    assert (full.is_bare, full.bare.is_bare, Jid("", "montague.lit").is_bare) == (False, True, True)
    assert full.bare.with_resource("pda") == full
    assert full.with_resource("caf\u00e9 \u265a").resourcepart == "caf\u00e9 \u265a"
    with pytest.raises(JidError, match="resourcepart is empty"):
        full.with_resource("")


def test_equal_spellings_are_parsed_once() -> None:
    assert Jid.parse("mercutio@shakespeare.lit/a") is Jid.parse("mercutio@shakespeare.lit/a")


def test_it_crosses_a_link_as_it_is() -> None:
    jid = Jid.parse("romeo@montague.lit/pda")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(jid), type=Jid) == jid


def test_sorted_by_parts() -> None:
    texts = ["b@a", "a@b/x", "a@b", "a"]
    assert [str(jid) for jid in sorted(map(Jid.parse, texts))] == ["a", "a@b", "a@b/x", "b@a"]


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("balcony", "balcony"),
        ("bal\tco\0ny\n", "balcony"),
        ("x" * 1100, "x" * 1023),
        ("\u30d0" * 1000, "\u30d0" * 341),
        ("\t\n", ""),
        ("", ""),
    ],
)
def test_what_of_a_text_a_resourcepart_can_hold(text: str, mended: str) -> None:
    assert mended_resourcepart(text) == mended  # RFC 6120 section 7.7.2.1


letters = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
anything = st.text(st.characters(), max_size=20)


@given(st.one_of(anything, st.builds("{}@{}/{}".format, letters, letters, letters)))
@example("\u0130@\u0130/\u0130")
@example("\u1e9e@\u1e9e/\u1e9e")
def test_any_text_is_a_jid_or_a_jid_error(text: str) -> None:
    try:
        jid = Jid.parse(text)
    except JidError:
        return
    # RFC 7622 section 3: prepared parts stay as they are, and no part can be mistaken for another
    assert Jid.parse(str(jid)) == jid
    assert unicodedata.is_normalized("NFC", str(jid))


@given(letters)
def test_prepared_parts_stay_as_they_are(text: str) -> None:
    for prepare in (prepare_localpart, prepare_domainpart, prepare_resourcepart):
        try:
            prepared = prepare(text)
        except JidError:
            continue
        assert prepare(prepared) == prepared


def test_long_addresses_are_not_remembered() -> None:
    """Whoever sends many unlike ones would fill a hundred megabytes."""
    before = jid_module._parse.cache_info().currsize
    long = f"a@b.lit/{'x' * 1_000}"
    assert str(Jid.parse(long)) == long
    assert jid_module._parse.cache_info().currsize == before
