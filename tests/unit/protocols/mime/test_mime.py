"""What people read of mails as they come: pages of HTML, charsets, and parts that mailers put together oddly."""

from __future__ import annotations

import base64

import pytest

from cluster.protocols.mime.mime import MAX_TEXT_CHARACTERS
from cluster.protocols.mime.plain import text_of_html
from cluster.protocols.mime.report import Failure, read_failure
from tests.unit.protocols.mime.test_parsed import letter, parts

PLAIN = "Content-Type: text/plain; charset=utf-8"
HTML = "Content-Type: text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<html><head><style>p{}</style><title>t</title><body><p>no end of the head", "no end of the head"),
        ("<head><meta name=x>Hello", "Hello"),
        ("<table><tr><td>Bread<td>2.50</tr><tr><td>Wine</td>\n<td>9.00</td></tr></table>", "Bread  2.50\nWine  9.00"),
        ("<table><tr><td><p>Bread</p></td><td><div>2.50</div></td></tr></table>", "Bread  2.50"),
        ("<table><tr><td>one<br>two</td><td>three</td></tr></table>", "one\ntwo\nthree"),
        ("look:<pre>\nif x:\n    y\n\n\nend\n</pre>done", "look:\n\nif x:\n    y\n\n\nend\n\ndone"),
        ("<p title='a > b'>x</p><img alt=\"1 > 0\" src=x>", "x\n\n1 > 0"),
        ("<ul><li><p>one</p></li><li>two</li></ul>", "- one\n\n- two"),
        ("a <b>b</b> c<i> d</i>e", "a b c de"),
        ("<a href='https://x.y'><div>a block</div></a> z", "a block\n<https://x.y> z"),
        ("<a href='https://x.y'>open <a href='https://z'>next", "open <https://x.y> next <https://z>"),
        ("<style>p { color: red }</style><template>no</template>yes", "yes"),
        ("<div>" * 5_000 + "deep", "deep"),
        ("one<p></p><p>&nbsp;</p><div></div><br><br><br>two", "one\n\ntwo"),
        ("<?xml version='1.0' encoding='iso-8859-1'?><meta charset=koi8-r><p>Grüße", "Grüße"),
        ("", ""),
    ],
)
def test_html_as_people_see_it(page: str, text: str) -> None:
    assert text_of_html(page) == text


@pytest.mark.parametrize("piece", ["<div><a href=https://x>", "<b><p>", "<table><tr><td>a", "<pre>\n", "<li>", "<br>a"])
def test_a_large_page_takes_work_and_text_in_proportion(piece: str) -> None:
    """A page that is laid out, cell by cell, or read link in link, would cost gigabytes or never end."""
    assert len(text_of_html(piece * 100_000)) < 3 * len(piece) * 100_000


@pytest.mark.parametrize(
    ("label", "octets", "text"),
    [
        ("iso-8859-8-i", "שלום".encode("iso-8859-8"), "שלום"),
        ("windows-874", "สวัสดี “ก”".encode("cp874"), "สวัสดี “ก”"),
        ("tis-620", "“ก”".encode("cp874"), "“ก”"),
        ("gb2312", "镕€".encode("gb18030"), "镕€"),
        ("gbk", "𠀀".encode("gb18030"), "𠀀"),
        ("shift_jis", "①髙".encode("cp932"), "①髙"),
        ("euc-kr", "똠".encode("cp949"), "똠"),
        ("ks_c_5601-1987", "펲".encode("cp949"), "펲"),
        ("big5", "啫".encode("big5hkscs"), "啫"),
        ("euc-jp", "①".encode("euc_jis_2004"), "①"),
        ("iso-2022-jp", b"\x1b$B-!\x1b(B and \x1b(I1\x1b(B", "① and ｱ"),
        ("iso-2022-jp", "a\nこんにちは\nb".encode("iso-2022-jp"), "a\nこんにちは\nb"),
        ("iso-8859-1", "“x”".encode("cp1252"), "“x”"),
        ("utf-7", b"Gr+APwA3w-e", "Grüße"),
        ("hz-gb-2312", "你好".encode("hz"), "你好"),
        ("cp850", "Grüße".encode("cp850"), "Grüße"),
        ("koi8-u", "їжак".encode("koi8-u"), "їжак"),
        ("UTF-8", "ü".encode(), "ü"),
    ],
)
def test_charsets_as_mailers_mean_them(label: str, octets: bytes, text: str) -> None:
    encoded = base64.encodebytes(octets)
    found = letter(encoded, f"Content-Type: text/plain; charset={label}", "Content-Transfer-Encoding: base64")
    assert found.text == text
    word = base64.b64encode(octets).decode()
    assert letter("x", f"Subject: =?{label}?b?{word}?=").subject == " ".join(text.split())


def test_a_text_whose_charset_nobody_knows_bears_a_mark() -> None:
    found = letter("Grüße".encode("latin-1"), "Content-Type: text/plain; charset=x-verona")
    assert found.text == "Grüße\n[the charset x-verona is unknown: read as windows-1252]"
    assert letter("Grüße".encode(), "Content-Type: text/plain; charset=x-verona").text == "Grüße"


def test_octets_that_a_charset_does_not_have_are_seen() -> None:
    assert letter(b"ab\xff\xffcd", "Content-Type: text/plain; charset=euc-kr").text.startswith("ab\ufffd")


@pytest.mark.parametrize("codec", ["punycode", "idna", "unicode_escape", "rot13", "hex", "undefined"])
def test_codecs_that_are_no_charsets_are_not_used(codec: str) -> None:
    """Python's `punycode` takes minutes for 200 kB, so this test would not end."""
    body = b"\\x41-" + b"a" * 200_000
    assert letter(body, f"Content-Type: text/plain; charset={codec}").text.startswith("\\x41-aaa")


@pytest.mark.parametrize("blank", ["", " \r\n\r\n", "\u00a0\r\n"])
def test_a_blank_text_next_to_html_says_nothing(blank: str) -> None:
    mail = parts(f"{PLAIN}\r\n\r\n{blank}", f"{HTML}\r\n\r\n<p>rich</p>", kind="alternative")
    assert letter(*_split(mail)).text == "rich"


def test_the_only_text_is_shown_though_it_has_a_file_name() -> None:
    named = f'{PLAIN}; name="body.txt"\r\nContent-Disposition: inline; filename="body.txt"\r\n\r\nhello'
    image = 'Content-Type: image/png; name="a.png"\r\n\r\nx'
    assert letter(*_split(parts(named, image))).text == "hello\n\n[attachment: a.png, image/png, 1 bytes]"
    alone = ("Content-Type: text/plain", 'Content-Disposition: attachment; filename="a.txt"')
    assert letter("hello", *alone).text == "hello"


def test_a_text_with_a_file_name_is_an_attachment_where_there_is_another() -> None:
    named = f'{PLAIN}; name="log.txt"\r\n\r\nhello'
    assert (
        letter(*_split(parts(f"{PLAIN}\r\n\r\nsee", named))).text == "see\n\n[attachment: log.txt, text/plain, 5 bytes]"
    )


def test_a_long_page_is_cut() -> None:
    assert len(letter("<p>word " * 50_000, HTML).text) < MAX_TEXT_CHARACTERS + 100


FIELDS = (
    "Reporting-MTA: dns; mx.far.example\r\n\r\nFinal-Recipient: utf-8; järi@far.example\r\nAction: failed\r\n"
    "Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 nobody is called järi\r\n"
)


@pytest.mark.parametrize("encoding", ["8bit", "base64"])
def test_an_internationalized_failure_report(encoding: str) -> None:
    """RFC 6533 section 4: message/global-delivery-status, and the mail as message/global."""
    status = FIELDS if encoding == "8bit" else base64.encodebytes(FIELDS.encode()).decode()
    mail = parts(
        f"{PLAIN}\r\n\r\nfailed",
        f"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{status}",
        "Content-Type: message/global\r\n\r\nMessage-ID: <m1@abbey.example>\r\n\r\nhi",
        kind="report; report-type=delivery-status",
    )
    assert read_failure(mail.encode()) == Failure("5.1.1", "550 nobody is called järi", "<m1@abbey.example>")


def _split(mail: str) -> tuple[str, str]:
    """The body and the header of what `parts` makes."""
    header, _, body = mail.partition("\r\n\r\n")
    return body, header
