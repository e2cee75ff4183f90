"""Mail addresses, and whose they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.gateways.mail.addresses import Account, Addresses, Bounce, NotHere, Postmaster, Unknown
from cluster.protocols.mime.address import BadAddress, for_the_wire, needs_smtputf8, normal
from cluster.protocols.mime.quoted import quote, unquote
from cluster.protocols.mime.threads import message_ids, root_of, thread_of
from cluster.xmpp.jid import Jid

NURSE = Jid.parse("nurse@capulet.lit")
ALIASES = {"Nurse@verona.example": NURSE, "office@mail.montague.lit": NURSE}
BOOK = Addresses("mail.montague.lit", ["montague.lit", "bücher.lit"], ALIASES)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("friar@abbey.example", "friar@abbey.example"),
        (" Friar@ABBEY.Example ", "Friar@abbey.example"),
        ("o'hara+news@abbey.example", "o'hara+news@abbey.example"),
        ('"friar"@abbey.example', "friar@abbey.example"),
        ('"the friar"@abbey.example', '"the friar"@abbey.example'),
        ("frïar@bücher.example", "frïar@bücher.example"),
        ("friar@xn--bcher-kva.example", "friar@bücher.example"),
    ],
)
def test_one_spelling(text: str, spelled: str) -> None:
    assert normal(text) == spelled


@pytest.mark.parametrize(
    "text",
    [
        "", "friar", "@abbey.example", "friar@", "a b@abbey.example", ".a@abbey.example", "a..b@abbey.example",
        "friar@abbey.example>\r\nRCPT TO:<x@y", "friar\n@abbey.example", "friar\x00@abbey.example",
        "friar@[127.0.0.1]", "friar@ab bey", "a@b@abbey.example", '"a\n"@abbey.example', f"{'a' * 250}@abbey.example",
        "friar@-.example",
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(BadAddress):
        normal(text)


def test_for_the_wire() -> None:
    assert for_the_wire("friar@bücher.example") == "friar@xn--bcher-kva.example"
    assert for_the_wire("frïar@bücher.example") == "frïar@xn--bcher-kva.example"
    assert for_the_wire("") == ""
    assert needs_smtputf8("frïar@abbey.example")
    assert not needs_smtputf8("friar@bücher.example")


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), min_size=1))
def test_any_text_as_a_word_and_back(text: str) -> None:
    word = quote(text)
    assert unquote(word) == text
    assert set(word) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-=")
    assert ".." not in f".{word}."


@pytest.mark.parametrize(
    ("jid", "address"),
    [
        ("romeo@montague.lit", "romeo@montague.lit"),
        (r"o\27hara@montague.lit", "o'hara@montague.lit"),
        ("juliet@capulet.lit", "juliet=40capulet.lit@mail.montague.lit"),
        ("roméo@montague.lit", "rom=C3=A9o=40montague.lit@mail.montague.lit"),
        (r"two\20words@montague.lit", "two=5C20words=40montague.lit@mail.montague.lit"),
        ("a..b@montague.lit", "a=2E=2Eb=40montague=2Elit@mail.montague.lit"),
    ],
)
def test_mail_comes_back_to_an_account(jid: str, address: str) -> None:
    account = Jid.parse(jid)
    assert BOOK.of(account.with_resource("pda")) == address
    assert BOOK.find(normal(address)) == Account(account, account.domainpart == "montague.lit")


def test_whose_an_address_is() -> None:
    assert BOOK.find(BOOK.bounce("k1")) == Bounce("k1")
    assert BOOK.find("Postmaster@mail.montague.lit") == Postmaster()
    assert BOOK.find("postmaster@montague.lit") == Postmaster()
    assert BOOK.find("ROMEO@montague.lit") == Account(Jid.parse("romeo@montague.lit"), True)
    assert BOOK.find("romeo=40montague.lit@mail.montague.lit") == Account(Jid.parse("romeo@montague.lit"), True)
    for stranger in ("friar@abbey.example", "romeo@evil.mail.montague.lit", "juliet@capulet.lit"):
        with pytest.raises(NotHere):
            BOOK.find(stranger)
    pda = Account(Jid.parse("romeo@montague.lit/pda"), True)
    assert BOOK.find("romeo=40montague.lit=2Fpda@mail.montague.lit") == pda
    for nobody in ("romeo@mail.montague.lit", "montague.lit@mail.montague.lit", "=FF=40x@mail.montague.lit"):
        with pytest.raises(Unknown):
            BOOK.find(nobody)


def test_further_addresses() -> None:
    for address in ("nurse@verona.example", "NURSE@verona.example", "office@mail.montague.lit"):
        assert BOOK.find(address) == Account(NURSE, True)
    assert BOOK.find("postmaster@verona.example") == Postmaster()
    assert BOOK.takes("verona.example")
    for nobody in ("peter@verona.example", "nurse=40capulet.lit@verona.example", BOOK.bounce("k").replace(
        "mail.montague.lit", "verona.example"
    )):  # fmt: skip
        with pytest.raises(Unknown):
            BOOK.find(nobody)
    assert BOOK.of(NURSE) == "nurse=40capulet.lit@mail.montague.lit"


@pytest.mark.parametrize("thread", ["e0ffe42b28561960c6b12b944a092794b9683a38", "ein Faden @ zwei\n", "a@b", "<", "é"])
def test_threads_come_back(thread: str) -> None:
    root = root_of(thread, "mail.montague.lit")
    assert message_ids(root) == [root]
    assert thread_of(root, "mail.montague.lit") == thread


def test_a_conversation_that_began_in_mail_keeps_its_root() -> None:
    root = "<1234.abc@abbey.example>"
    assert root_of(thread_of(root, "mail.montague.lit"), "mail.montague.lit") == root


def test_a_thread_of_any_length_fits_into_a_line() -> None:
    assert len(root_of("x" * 10_000, "mail.montague.lit")) < 300
    assert root_of("x" * 10_000, "m.lit") != root_of("x" * 10_001, "m.lit")
    assert thread_of("<thread.=FF@m.lit>", "m.lit") == "thread.=FF@m.lit"


def test_ids_in_a_header_that_is_broken() -> None:
    assert message_ids('"<a@b>" junk <c@d><e@[1.2.3.4]> <bad id@x> <no>') == ["<a@b>", "<c@d>", "<e@[1.2.3.4]>"]
