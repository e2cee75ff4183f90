"""Mails that come in: every charset, structure and breakage that strangers send."""

from __future__ import annotations

import base64
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.protocols.mime.mime import CUT, MAX_TEXT_CHARACTERS
from cluster.protocols.mime.parsed import ParsedMail, kept_headers, read
from cluster.protocols.mime.plain import text_of_html
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element


def letter(body: str | bytes, *headers: str) -> ParsedMail:
    octets = body.encode() if isinstance(body, str) else body
    return read("\r\n".join(["From: Friar <friar@abbey.example>", *headers, "", ""]).encode() + octets)


def parts(*inner: str, kind: str = "mixed") -> str:
    lines = [f"Content-Type: multipart/{kind}; boundary=b", ""]
    for part in inner:
        lines += ["--b", part]
    return "\r\n".join([*lines, "--b--", ""])


def test_a_plain_mail() -> None:
    found = read(
        b"From: Friar Laurence <Friar@Abbey.Example>\r\nReply-To: abbot@abbey.example\r\nSubject: Hi\r\n there\r\n"
        b"Message-ID: <m2@abbey.example>\r\nReferences: <m0@x>\r\n <m1@x>\r\nIn-Reply-To: <m1@x>\r\n"
        b"X-Xmpplab-Trace: t1\r\nReceived: by a\r\nReceived: by b\r\n\r\nHello.\r\nBye.\r\n"
    )
    assert found == ParsedMail(
        sender="Friar@abbey.example", reply_to="abbot@abbey.example", subject="Hi there", text="Hello.\nBye.",
        message_id="<m2@abbey.example>", references=("<m0@x>", "<m1@x>"), is_automatic=False, is_from_list=False,
        received=2, gateways=(), trace_id="t1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("charset", "octets", "text"),
    [
        ("utf-8", "Grüße ✓".encode(), "Grüße ✓"),
        ("iso-8859-1", "Grüße".encode("latin-1"), "Grüße"),
        ("windows-1252", "“Grüße”".encode("cp1252"), "“Grüße”"),
        ("koi8-r", "Привет".encode("koi8-r"), "Привет"),
        ("iso-2022-jp", "こんにちは".encode("iso-2022-jp"), "こんにちは"),
        ("utf-16", "hi".encode("utf-16"), "hi"),
        ("utf-8", "Grüße".encode("latin-1"), "Grüße"),
        ("no-such-charset", "Grüße".encode(), "Grüße"),
        ("base64", b"aGk=", "aGk="),
        ("us-ascii", "Grüße".encode(), "Grüße"),
        ("\x00", b"hi", "hi"),
    ],
)
def test_charsets(charset: str, octets: bytes, text: str) -> None:
    body = base64.encodebytes(octets)
    assert (
        letter(body, f"Content-Type: text/plain; charset={charset}", "Content-Transfer-Encoding: base64").text == text
    )
    if charset != "utf-16":
        assert letter(octets, f"Content-Type: text/plain; charset={charset}").text == text  # 8bit


@pytest.mark.parametrize(
    ("written", "subject"),
    [
        ("=?utf-8?b?R3LDvMOfZQ==?=", "Grüße"),
        ("=?iso-8859-1?q?Gr=FC=DFe?= an =?utf-8?q?alle?=", "Grüße an alle"),
        ("=?utf-8?q?Gr=C3=BC?= =?utf-8?q?=C3=9Fe?=", "Grüße"),
        ("=?nonsense?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?utf-8?b?R3I?=", "Gr"),
        ("Grüße", "Grüße"),
        ("=?utf-8?q?a=00=0D=0Ab?=", "a b"),
    ],
)
def test_subjects(written: str, subject: str) -> None:
    assert letter("x", f"Subject: {written}").subject == subject


def test_the_best_of_alternatives() -> None:
    both = parts("Content-Type: text/plain\r\n\r\nplain", "Content-Type: text/html\r\n\r\n<p>rich", kind="alternative")
    assert read(both.encode()).text == "plain"
    invitation = "Content-Type: text/calendar\r\n\r\nBEGIN:"
    rich = parts("Content-Type: text/html\r\n\r\n<p>rich</p>", invitation, kind="alternative")  # fmt: skip
    assert read(rich.encode()).text == "rich"
    assert read(parts(kind="alternative").encode()).text == ""


def test_attachments_are_notes() -> None:
    mail = EmailMessage()
    mail["From"] = "friar@abbey.example"
    mail.set_content("See the plan.")
    mail.add_attachment(b"x" * 12_345, "application", "pdf", filename="Plän.pdf")
    mail.add_attachment("only a text", filename="a.txt")
    inner = EmailMessage()
    inner.set_content("forwarded")
    mail.add_attachment(inner)
    assert read(mail.as_bytes()).text == (
        "See the plan.\n\n[attachment: Plän.pdf, application/pdf, 12345 bytes]\n"
        "[attachment: a.txt, text/plain, 12 bytes]\n[attachment: without a name, message/rfc822, 10 bytes]"
    )


def test_many_attachments_are_counted() -> None:
    part = "Content-Type: image/png\r\n\r\nx"
    text = read(parts(*[part] * 60).encode()).text
    assert text.count("\n") == 50
    assert text.endswith("[and 10 more attachments]")


def test_texts_between_attachments_are_joined() -> None:
    mail = parts("Content-Type: text/plain\r\n\r\none", "Content-Type: image/png\r\n\r\nx", "\r\ntwo")
    assert read(mail.encode()).text.startswith("one\n\ntwo\n\n[attachment: without a name, image/png, 1 bytes]")


def test_html_only() -> None:
    page = "<html><head><style>p{}</style></head><body><p>Hello &amp; <b>good</b> day</p><ul><li>one<li>two</ul>"
    assert letter(page, "Content-Type: text/html").text == "Hello & good day\n\n- one\n- two"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a<br>b<hr/>c", "a\nb\nc"),
        ("<a href='https://a.b/?x=1&amp;y'>here</a> or <a href=\"https://z\">https://z</a> or <a name=x>y</a>",
         "here <https://a.b/?x=1&y> or https://z or y"),
        ("<script>if (a<b) {x='</p>'}</script>end", "end"),
        ("<!-- no --> yes <!-- never", "yes"),
        ("<img src=x alt='a rose'> 1 < 2 &nbsp; &#65;&bogus;", "a rose 1 < 2 A&bogus;"),
        ("<!DOCTYPE html><?php x ?>hi", "hi"),
    ],
)  # fmt: skip
def test_html_as_text(page: str, text: str) -> None:
    assert text_of_html(page) == text


@pytest.mark.parametrize("piece", ["<a ", "<!--", "<", "<p", "&#", "<a href='", "<script>", "a" * 50 + "<", "<aaaaaaa"])
def test_html_that_never_ends_takes_no_time(piece: str) -> None:
    """Quadratic work would be some minutes, and the test would not end."""
    text_of_html(piece * 200_000)
    text_of_html("<" + piece.strip("<") * 200_000)


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Type: multipart/mixed"], ["Content-Type: multipart/mixed; boundary=nowhere"],
        ["Content-Type: ;;;=\0"],
        ["Content-Type: text/plain; charset*=utf-8'en'x; charset*0=y"], ["Content-Transfer-Encoding: base64"],
        ["Content-Transfer-Encoding: x-uuencode"], ["Content-Transfer-Encoding: rot13"],
        ["Content-Disposition: inline; filename*=bogus''%FF"], ["no colon at all"], [": no name"], ["From: <"],
    ],
)  # fmt: skip
def test_broken_headers(headers: list[str]) -> None:
    assert "hello" in letter("hello", *headers).text or "base64" in headers[0] or "filename" in headers[0]


@given(st.binary(max_size=2_000))
def test_any_bytes_are_read(data: bytes) -> None:
    check(read(data))


WORDS = st.sampled_from([
    b"From: ", b"Content-Type: ", b"multipart/mixed; boundary=b", b"text/html", b"text/plain; charset=utf-7", b"\r\n",
    b"\r\n\r\n", b"--b", b"--b--", b"message/rfc822", b"=?utf-8?q?", b"?=", b"=00", b"\0", b"\xff", b"<a@b.c>", b"(",
    b"filename*0*=", b"%FF", b"Content-Disposition: attachment; ", b"Content-Transfer-Encoding: ", b"base64", b"\x1b$B",
    b"quoted-printable", b"multipart/report; ", b"report-type=delivery-status", b"message/delivery-status", b";",
    b"Message-ID: ", b"References: ", b"Subject: ",
])  # fmt: skip


@given(st.lists(WORDS).map(b"".join))
def test_any_mime_is_read(data: bytes) -> None:
    check(read(data))


def check(found: ParsedMail) -> None:
    """It can be a stanza, within the size of one."""
    body = Element("body")
    body.text = found.text + found.subject
    raw = xml.serialize(body, inherited="")
    xml.parse(raw)
    assert len(raw) < 262_144


def test_nul_and_what_xml_cannot_have() -> None:
    assert letter(b"a\0b\x08c\xef\xbf\xbed\ttab", "Subject: x\0y").text == "abcd\ttab"


def test_a_long_text_is_cut_to_what_a_stanza_holds() -> None:
    found = letter("&" * 100_000)
    assert found.text == "&" * MAX_TEXT_CHARACTERS + CUT
    check(found)


def test_a_deep_tree_is_no_trap() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(5_000))
    assert read(b"From: a@b.c\r\n" + deep + b"\r\nhi" * 10_000).sender == "a@b.c"
    assert read(b"From: a@b.c\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 5_000).sender == "a@b.c"
    assert read(b"From: " + b"(" * 100_000).sender == ""


@pytest.mark.parametrize(
    ("header", "is_automatic"),
    [
        ("Auto-Submitted: auto-replied", True), ("Auto-Submitted: auto-generated; x=y", True),
        ("Auto-Submitted: no", False), ("Precedence: bulk", True),
        ("List-Id: <l.abbey.example>", True), ("X-Other: x", False),
    ],
)  # fmt: skip
def test_what_no_person_wrote(header: str, is_automatic: bool) -> None:
    assert letter("x", header).is_automatic is is_automatic


@pytest.mark.parametrize("trace_id", ["a b", "x" * 65, "", "ü", "<x>"])
def test_what_is_no_trace_id(trace_id: str) -> None:
    assert letter("x", f"X-Xmpplab-Trace: {trace_id}").trace_id == ""


def test_the_headers_that_are_kept() -> None:
    assert kept_headers(b"A: 1\r\nB: 2\r\n\r\nbody") == b"A: 1\r\nB: 2"
    kept = kept_headers(b"A: 1\r\n" + b"B: %s\r\n" % (b"x" * 500) * 10 + b"\r\nbody")
    assert len(kept) <= 2_000
    assert kept.endswith(b"x" * 500)
    assert kept_headers(b"x" * 10_000) == b""
