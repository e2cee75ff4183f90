"""Mails that are made, read by the standard library."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.protocols.mime.compose import Draft, compose, subject_for
from cluster.protocols.mime.headers import one_line
from cluster.protocols.mime.report import Report, compose_report, read_failure

DRAFT = Draft(
    "romeo@montague.lit", "friar@abbey.example", "hi", "Hello, father.", "<k1@mail.montague.lit>", 1_700_000_000.5
)
HEADERS = {
    "From", "Reply-To", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding",
}  # fmt: skip
TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs",)))
NASTY = st.one_of(
    TEXTS,
    st.text(alphabet="\r\n\t :.<>@aB\0\x0b\x85\u2028=?é"),
    st.lists(
        st.sampled_from(["\r\n", "\n", "\r", ".", "Bcc: x@y.z", "\r\n.\r\n", "=?utf-8?q?=0D=0ABcc:_x?="])
    ).map("".join),
)  # fmt: skip


def read(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def check_form(data: bytes) -> None:
    """RFC 5322 section 2.1: lines of at most 998 octets end with CRLF, and CR and LF are nowhere else."""
    assert data.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", data)
    assert max(map(len, data.split(b"\r\n"))) <= 998


def test_a_plain_mail() -> None:
    assert compose(DRAFT).decode() == (
        "From: romeo@montague.lit\r\nReply-To: romeo@montague.lit\r\nTo: friar@abbey.example\r\nSubject: hi\r\n"
        "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <k1@mail.montague.lit>\r\n"
        'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 7bit\r\nMIME-Version: 1.0\r\n\r\n'
        "Hello, father.\r\n"
    )


def test_everything_in_it() -> None:
    draft = msgspec.structs.replace(
        DRAFT, sender="juliet=40capulet.lit@mail.montague.lit", sender_name="juliet@capulet.lit", subject="Grüße " * 30,
        text="Ein Gruß\n.\nFrom mir\n" + "lang " * 500, references=("<a@b.c>", f"<thread.{'x' * 300}@d>"),
        headers=(("X-Xmpplab-Trace", "t1"),),
    )  # fmt: skip
    data = compose(draft)
    check_form(data)
    assert data.isascii()
    mail = read(data)
    assert mail["From"].addresses[0].display_name == "juliet@capulet.lit"
    assert mail["Reply-To"] == "juliet=40capulet.lit@mail.montague.lit"
    assert mail["Subject"] == ("Grüße " * 30).strip()
    assert mail["References"].split() == ["<a@b.c>", f"<thread.{'x' * 300}@d>"]
    assert mail["In-Reply-To"].strip() == f"<thread.{'x' * 300}@d>"
    assert mail["X-Xmpplab-Trace"] == "t1"
    assert mail.get_content().replace("\r\n", "\n") == draft.text + "\n"
    assert not mail.defects


@given(subject=NASTY, text=NASTY, name=NASTY)
def test_nothing_in_a_message_becomes_a_header(subject: str, text: str, name: str) -> None:
    data = compose(msgspec.structs.replace(DRAFT, subject=subject, text=text, sender_name=name))
    check_form(data)
    head, _, _ = data.partition(b"\r\n\r\n")
    names = re.findall(rb"^([^\s:]+):", head, re.MULTILINE)
    assert sorted(map(bytes.decode, names)) == sorted(HEADERS)
    mail = read(data)
    assert mail["From"].addresses[-1].addr_spec == "romeo@montague.lit"
    assert [address.addr_spec for address in mail["To"].addresses] == ["friar@abbey.example"]


def test_an_address_that_looks_like_an_encoded_word_is_an_address() -> None:
    data = compose(msgspec.structs.replace(DRAFT, recipient="=?utf-8?q?=0D=0Ax?=@abbey.example"))
    check_form(data)
    assert b"\r\nTo: =?utf-8?q?=0D=0Ax?=@abbey.example\r\n" in data


@given(TEXTS)
def test_a_text_arrives_as_it_was(text: str) -> None:
    lines = re.sub(r"\r\n?", "\n", text.replace("\0", ""))
    content = read(compose(msgspec.structs.replace(DRAFT, text=text))).get_content()
    assert content.replace("\r\n", "\n").rstrip("\n") == lines.rstrip("\n")


def test_an_encoded_word_of_the_sender_brings_no_line_end() -> None:
    data = compose(msgspec.structs.replace(DRAFT, subject="=?utf-8?q?hi=0D=0ABcc:_x@y.z?= you"))
    check_form(data)
    assert b"\nBcc" not in data


def test_addresses_beyond_ascii() -> None:
    mail = read(compose(msgspec.structs.replace(DRAFT, recipient="frïar@bücher.example")))
    assert str(mail["To"]) == "frïar@xn--bcher-kva.example"
    mail = read(compose(msgspec.structs.replace(DRAFT, recipient='"the friar"@abbey.example')))
    assert mail["To"].addresses[0].username == "the friar"


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Hello", "Hello"),
        ("\n \n  Hello,\tfather \nmore", "Hello, father"),
        ("It was the nightingale, and not the lark, That pierced the fearful hollow of thine ear",
         "It was the nightingale, and not the lark, That pierced the …"),
        ("x" * 100, "x" * 60 + " …"),
        ("", ""),
        ("\r\n\x0b", ""),
    ],
)  # fmt: skip
def test_the_beginning_of_a_text_as_subject(text: str, subject: str) -> None:
    assert subject_for(text) == subject


@given(NASTY)
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


# --- reports

REPORT = Report(
    "mail.montague.lit", "friar@abbey.example", "rosaline@montague.lit", "5.1.1",
    "service-unavailable: no such\r\naccount",
    b"Subject: hi\r\nMessage-ID: <m1@abbey.example>", "<r1@mail.montague.lit>", 1_700_000_000.0, "report-r1",
)  # fmt: skip


def test_a_report_that_others_understand() -> None:
    data = compose_report(REPORT)
    check_form(data)
    assert data.isascii()
    mail = read(data)
    assert not mail.defects
    assert mail.get_content_type() == "multipart/report"
    assert mail["Auto-Submitted"] == "auto-replied"
    text, status, headers = mail.iter_parts()
    assert text.get_content() == (
        "Your mail to rosaline@montague.lit could not be delivered:\n\nservice-unavailable: no such\naccount\n"
    )
    assert status.get_content_type() == "message/delivery-status"
    whole, recipient = status.get_payload()
    assert whole["Reporting-MTA"] == "dns; mail.montague.lit"
    assert dict(recipient) == {
        "Final-Recipient": "rfc822; rosaline@montague.lit", "Action": "failed", "Status": "5.1.1",
        "Diagnostic-Code": "x-xmpp; service-unavailable: no such account",
    }  # fmt: skip
    assert b"<m1@abbey.example>" in headers.get_payload(decode=True)


def test_a_report_of_our_own_is_read_again() -> None:
    failure = read_failure(compose_report(REPORT))
    assert failure is not None
    assert (failure.status, failure.message_id) == ("5.1.1", "<m1@abbey.example>")
    assert failure.text == "service-unavailable: no such account"


@given(text=NASTY, headers=st.binary())
def test_a_report_of_anything_has_its_form(text: str, headers: bytes) -> None:
    data = compose_report(msgspec.structs.replace(REPORT, text=text, headers=headers, recipient="roméo@montague.lit"))
    assert data.isascii()
    assert read_failure(data) is not None


def test_delays_and_other_mails_are_no_failures() -> None:
    assert read_failure(compose(DRAFT)) is None
    assert read_failure(compose_report(REPORT).replace(b"Action: failed", b"Action: delayed")) is None
    assert read_failure(b"") is None
