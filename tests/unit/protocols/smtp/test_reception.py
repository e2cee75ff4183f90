"""The receiving side of SMTP, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.components import connection
from cluster.gateways.mail.configuration import MailSettings
from cluster.protocols.smtp import server
from cluster.xmpp.element import Element
from tests.network import MONTAGUE, watched_log
from tests.unit.gateways.mail.world import MAIL, Dialogue, MailNetwork

SETTINGS = MailSettings("g2", MAIL, (MONTAGUE,), max_mail_bytes=5_000, max_mails_per_s=3)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[MailNetwork]:
    with watched_log() as failures:
        network = MailNetwork(tmp_path, settings=SETTINGS)
        network.account("romeo@montague.lit")
        yield network
    assert not failures


@pytest.fixture
def smtp(network: MailNetwork) -> Dialogue:
    """A connection to the gateway."""
    return network.smtp(network.to_gateway)


def text_of(message: Element) -> str:
    return message.findtext("{jabber:client}body") or ""


def code(answers: list[str]) -> str:
    """Of the last answer, with its enhanced status."""
    return " ".join(answers[-1].split()[:2])


def test_greeting_and_extensions(network: MailNetwork) -> None:
    smtp = Dialogue(network, network.to_gateway)
    network.settle()
    assert smtp.take() == ["220 mail.montague.lit ESMTP xmpplab"]
    answers = smtp.say("EHLO abbey.example")
    assert {line[4:] for line in answers[1:]} == {
        "SIZE 5000", "8BITMIME", "SMTPUTF8", "PIPELINING", "ENHANCEDSTATUSCODES",
    }  # fmt: skip
    assert smtp.say("QUIT")[0].startswith("221 ")
    assert smtp.connection.is_closed


def test_one_byte_at_a_time(network: MailNetwork, smtp: Dialogue) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    commands = ["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<romeo@montague.lit>", "DATA"]
    for byte in "\r\n".join([*commands, "From: a@b.c", "", "..dot", ".", "QUIT", ""]):
        smtp.connection.send(byte)
        network.settle()
    answers = smtp.take()
    assert [answer[:3] for answer in answers if answer[3] == " "] == ["250", "250", "250", "354", "250", "221"]
    assert [text_of(message) for message in romeo.stanzas] == [".dot"]


def test_pipelined_in_one_piece(smtp: Dialogue) -> None:
    lines = ["EHLO x", "MAIL FROM:<a@b.c>", *["RCPT TO:<romeo@montague.lit>"] * 90, "DATA"]
    assert code(smtp.say(*lines)) == "354 end"
    assert code(smtp.say("hi", ".", "NOOP", "RSET")) == "250 2.0.0"


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (["RCPT TO:<romeo@montague.lit>"], "503 5.5.1"),
        (["DATA"], "503 5.5.1"),
        (["MAIL FROM:<a@b.c>", "DATA"], "503 5.5.1"),
        (["MAIL FROM:<a@b.c>", "MAIL FROM:<a@b.c>"], "503 5.5.1"),
        (["MAIL FROM:<a@b.c>", "RSET", "RCPT TO:<romeo@montague.lit>"], "503 5.5.1"),
        (["MAIL FROM:<a@b.c>", "EHLO x", "RCPT TO:<romeo@montague.lit>"], "503 5.5.1"),
        (["MAIL TO:<a@b.c>"], "501 5.5.4"),
        (["MAIL"], "501 5.5.4"),
        (["MAIL FROM:<a b@c>"], "553 5.1.3"),
        (["MAIL FROM:<a@b.c> SIZE=5001"], "552 5.3.4"),
        (["MAIL FROM:<a@b.c> SIZE=99999999999999999999999999"], "552 5.3.4"),
        (["MAIL FROM:<a@b.c> SIZE=x"], "555 5.5.4"),
        (["MAIL FROM:<a@b.c> RET=FULL"], "555 5.5.4"),
        (["MAIL FROM:<a@b.c> size=5000 body=8bitmime smtputf8"], "250 2.1.0"),
        (["MAIL FROM:a@b.c"], "250 2.1.0"),
        (["MAIL FROM: <>"], "250 2.1.0"),
        (["MAIL FROM:<@relay.x,@y:a@b.c>"], "250 2.1.0"),
        (["MAIL FROM:<frïar@abbey.example> SMTPUTF8"], "250 2.1.0"),
        (["MAIL FROM:<a@b.c>", "RCPT TO:<>"], "553 5.1.3"),
        (["MAIL FROM:<a@b.c>", "RCPT TO:<romeo@montague.lit> NOTIFY=NEVER"], "555 5.5.4"),
        (["MAIL FROM:<a@b.c>", "RCPT TO:<Postmaster>"], "250 2.1.5"),
        (["VRFY romeo"], "252 2.5.0"),
        (["NOOP"], "250 2.0.0"),
    ],
)
def test_commands(smtp: Dialogue, lines: list[str], answer: str) -> None:
    assert code(smtp.say(*lines)) == answer


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("romeo@montague.lit", "250 2.1.5"),
        ("ROMEO@Montague.LIT", "250 2.1.5"),
        ("romeo=40montague.lit@mail.montague.lit", "250 2.1.5"),
        ("nobody@montague.lit", "250 2.1.5"),  # its server will say
        ("friar@abbey.example", "550 5.7.1"),
        ("juliet@capulet.lit", "550 5.7.1"),
        ("romeo%montague.lit@abbey.example", "550 5.7.1"),
        ('"friar@abbey.example"@montague.lit', "250 2.1.5"),
        ("juliet=40capulet.lit@mail.montague.lit", "550 5.7.1"),  # she has written to nobody
        ("romeo@mail.montague.lit", "550 5.1.1"),
        ("bounce+guess@mail.montague.lit", "550 5.1.1"),
    ],
)
def test_this_is_no_relay(smtp: Dialogue, address: str, answer: str) -> None:
    smtp.say("MAIL FROM:<a@b.c>")
    assert code(smtp.say(f"RCPT TO:<{address}>")) == answer


@pytest.mark.parametrize(
    "line", [b"\xff\xfe", b"", b"HELLO", b"\0", b"GET / HTTP/1.1", b"AUTH PLAIN AHgAeA==", b"AUTH", b"STARTTLS"]
)
def test_what_is_no_command(smtp: Dialogue, line: bytes) -> None:
    assert smtp.say(line)[-1].startswith("500 ")
    assert code(smtp.say("NOOP")) == "250 2.0.0"


def test_an_address_in_another_charset(smtp: Dialogue) -> None:
    assert code(smtp.say("MAIL FROM:<frïar@abbey.example>".encode("latin-1"))) == "553 5.1.3"


def test_more_recipients_than_a_mail_may_have(smtp: Dialogue) -> None:
    answers = smtp.say("MAIL FROM:<a@b.c>", *["RCPT TO:<romeo@montague.lit>"] * 101)
    assert [code([answer]) for answer in answers[-2:]] == ["250 2.1.5", "452 4.5.3"]


def test_a_mail_that_is_too_big_is_refused_and_the_next_one_taken(smtp: Dialogue) -> None:
    assert smtp.mail("x" * 900 + "\n" + "y\n" * 2_500).startswith("552 5.3.4")
    assert smtp.mail("small").startswith("250 2.0.0")


def test_a_mail_without_an_end_is_not_read_on(smtp: Dialogue) -> None:
    smtp.say("MAIL FROM:<a@b.c>", "RCPT TO:<romeo@montague.lit>", "DATA")
    assert code(smtp.say(*["x" * 900] * 20)) == "552 5.3.4"
    assert smtp.connection.is_closed


def test_a_line_without_an_end_and_what_hides_behind_it(smtp: Dialogue) -> None:
    smtp.say("MAIL FROM:<a@b.c>", "RCPT TO:<romeo@montague.lit>", "DATA")
    assert smtp.say("x" * 10_000, "RSET", "MAIL FROM:<evil@b.c>")[-1].startswith("500 5.5.6")
    assert smtp.connection.is_closed


def test_only_crlf_dot_crlf_ends_a_mail(network: MailNetwork, smtp: Dialogue) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    smuggled = b"one\n.\nMAIL FROM:<evil@b.c>\r.\r\nRCPT TO:<x@y.z>\n.\r\n"
    smtp.say("MAIL FROM:<a@b.c>", "RCPT TO:<romeo@montague.lit>", "DATA", "From: a@b.c", "", smuggled)
    assert not romeo.stanzas
    assert code(smtp.say(".")) == "250 2.0.0"
    [message] = romeo.stanzas
    assert "MAIL FROM:<evil@b.c>" in text_of(message)


def test_guessing_is_slow_work(smtp: Dialogue) -> None:
    smtp.say("MAIL FROM:<a@b.c>")
    answers = smtp.say(*["RCPT TO:<a@mail.montague.lit>"] * 30)
    assert code(answers) == "421 4.7.0"
    assert len(answers) == 21
    assert smtp.connection.is_closed


def test_more_mails_in_a_second_than_one_host_may_bring(network: MailNetwork, smtp: Dialogue) -> None:
    assert [smtp.mail("x")[:9] for _ in range(3)] == ["250 2.0.0"] * 3
    assert code(smtp.say("MAIL FROM:<a@b.c>")) == "450 4.7.1"
    network.advance(0.4)
    assert smtp.mail("x").startswith("250 2.0.0")
    assert code(smtp.say("MAIL FROM:<a@b.c>")) == "450 4.7.1"


def test_more_connections_than_there_may_be(network: MailNetwork) -> None:
    for _ in range(100):
        network.smtp(network.to_gateway)
    one_more = Dialogue(network, network.to_gateway)
    network.settle()
    assert code(one_more.take()) == "421 4.3.2"
    assert one_more.connection.is_closed


def test_whoever_is_silent_is_disconnected(network: MailNetwork, smtp: Dialogue) -> None:
    network.advance(299)
    assert code(smtp.say("NOOP")) == "250 2.0.0"
    network.advance(299)
    assert not smtp.connection.is_closed
    network.advance(2)
    assert smtp.take()[0].startswith("421 ")
    assert smtp.connection.is_closed


def test_the_gateway_offers_no_reports_of_deliveries(network: MailNetwork) -> None:
    """Only the server of an account knows; so NOTIFY is unknown to it (RFC 3461 section 4)."""
    smtp = network.smtp(network.to_gateway)
    assert not [line for line in smtp.say("EHLO x.y") if "DSN" in line]
    smtp.say("MAIL FROM:<a@b.c>")
    assert smtp.say("RCPT TO:<romeo@montague.lit> NOTIFY=SUCCESS") == ["555 5.5.4 unknown parameter NOTIFY"]


def test_all_mails_that_come_at_a_time_are_bounded(
    network: MailNetwork, smtp: Dialogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_RECEIVING_BYTES", 6_000)
    others = [network.smtp(network.to_gateway) for _ in range(3)]
    begin = ["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<romeo@montague.lit>", "DATA", "From: a@b.c", ""]
    for each in others:
        each.say(*begin, *["x" * 98] * 40)
    assert network.to_gateway.factory.receiving_bytes <= 6_000
    assert sorted(code(each.say(".")) for each in others) == ["250 2.0.0", "452 4.3.1", "452 4.3.1"]
    assert network.to_gateway.factory.receiving_bytes == 0
    others[0].say(*begin[1:], "x")
    others[0].connection.drop()
    assert network.to_gateway.factory.receiving_bytes == 0


def test_a_mail_that_no_message_can_hold_is_refused_for_good(
    network: MailNetwork, smtp: Dialogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ENTERING_BYTES", 1_000)
    assert smtp.mail(f"From: a@b.c\n\n{'x' * 2_000}").startswith("554 5.6.0 ")
    assert smtp.mail("From: a@b.c\n\nx").startswith("250 ")
