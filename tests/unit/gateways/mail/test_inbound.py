"""Mail that comes in and goes on as messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.gateways.mail.configuration import MailSettings
from cluster.protocols.smtp.memory import MemoryLedger
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from tests.client import Client
from tests.network import CAPULET, MONTAGUE, START_UTC_S, watched_log
from tests.unit.gateways.mail.world import FRIAR, FRIAR_JID, MAIL, Dialogue, MailNetwork

LETTER = """\
From: Friar Laurence <Friar@Abbey.Example>
To: romeo@montague.lit
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Message-ID: <m1@abbey.example>

Wisely and slow.
"""


@pytest.fixture
def network(tmp_path: Path) -> Iterator[MailNetwork]:
    with watched_log() as failures:
        network = MailNetwork(tmp_path)
        network.account("romeo@montague.lit")
        yield network
    assert not failures


@pytest.fixture
def romeo(network: MailNetwork) -> Client:
    return network.online("romeo@montague.lit/pda")


@pytest.fixture
def smtp(network: MailNetwork) -> Dialogue:
    return network.smtp(network.to_gateway)


def text(stanza: Element, name: str) -> str | None:
    return stanza.findtext(f"{{jabber:client}}{name}")


def test_a_mail_becomes_a_message(smtp: Dialogue, romeo: Client) -> None:
    assert smtp.mail(LETTER) == "250 2.0.0 1 taken"
    [message] = romeo.stanzas
    assert message.get("from") == FRIAR_JID
    assert message.get("type") is None
    assert text(message, "subject") == "Grüße"
    assert text(message, "body") == "Wisely and slow."
    assert text(message, "thread") == "m1@abbey.example"


def test_it_waits_for_whoever_is_away(network: MailNetwork, smtp: Dialogue) -> None:
    assert smtp.mail(LETTER) == "250 2.0.0 1 taken"
    romeo = network.client("romeo@montague.lit/pda")
    network.say(romeo, "<presence/>")
    messages = [stanza for stanza in romeo.stanzas if xml.split(stanza.tag)[1] == "message"]
    assert [text(message, "body") for message in messages] == ["Wisely and slow."]


def test_a_reply_is_in_the_thread_of_its_conversation(smtp: Dialogue, romeo: Client) -> None:
    smtp.mail(LETTER.replace("Subject:", "References: <root@x> <m0@y>\nIn-Reply-To: <m0@y>\nSubject:"))
    smtp.mail(
        LETTER.replace("<m1", "<m2").replace("Subject:", f"References: <thread.e0ff@{MAIL}> <k1@{MAIL}>\nSubject:")
    )
    assert [text(message, "thread") for message in romeo.stanzas] == ["root@x", "e0ff"]


def test_a_sender_that_is_no_jid_is_told_in_the_text(smtp: Dialogue, romeo: Client) -> None:
    smtp.mail("Subject: x\n\nhi")
    smtp.mail("From: \U0001f339@abbey.example\n\nhi")
    assert [message.get("from") for message in romeo.stanzas] == [MAIL, MAIL]
    assert [text(message, "body") for message in romeo.stanzas] == [
        "[from an unknown sender]\n\nhi", "[from \U0001f339@abbey.example]\n\nhi",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "octets", [b"", b"\0\x01\xff\xfe", b"\xff" * 5_000, b"Content-Type: multipart/mixed\r\n\r\n", "Grüße ✓".encode()]
)
def test_whatever_is_in_a_mail_it_is_taken(smtp: Dialogue, romeo: Client, octets: bytes) -> None:
    assert smtp.mail(octets) == "250 2.0.0 1 taken"
    assert len(romeo.stanzas) == 1


def test_a_text_of_the_largest_size(smtp: Dialogue, romeo: Client) -> None:
    assert smtp.mail(b"From: a@b.c\r\n\r\n" + b"&&&&&&&&&&&&&&&&&&&&\r\n" * 20_000).startswith("250")
    assert len(romeo.stanzas) == 1


def test_mail_for_further_domains_and_addresses(tmp_path: Path) -> None:
    """As the topology says: accounts of capulet.lit by their JIDs, and an address that is nobody's JID."""
    aliases = (("balcony@verona.example", Jid.parse("juliet@capulet.lit")),)
    network = MailNetwork(tmp_path, settings=MailSettings("g2", MAIL, (MONTAGUE, CAPULET), aliases))
    juliet = network.online("juliet@capulet.lit/balcony")
    smtp = network.smtp(network.to_gateway)
    for to in ("juliet@capulet.lit", "Balcony@verona.example"):
        assert smtp.mail(LETTER.replace("m1", to[:5]), to=to) == "250 2.0.0 1 taken"
    assert [text(message, "body") for message in juliet.stanzas] == ["Wisely and slow."] * 2
    assert smtp.say("MAIL FROM:<a@b.c>", "RCPT TO:<garden@verona.example>")[-1].startswith("550 5.1.1")
    network.say(juliet, f"<message to='{FRIAR_JID}'><body>Help</body></message>")
    assert [mail["from"] for mail in network.inbox()] == ["juliet@capulet.lit"]
    juliet.stanzas.clear()
    network.say(juliet, rf"<message to='balcony\40verona.example@{MAIL}'><body>x</body></message>")
    network.say(juliet, rf"<message to='garden\40verona.example@{MAIL}'><body>x</body></message>")
    assert [line.rpartition(" ")[2] for line in juliet.take()] == ["not-acceptable", "item-not-found"]


def test_several_recipients(network: MailNetwork, smtp: Dialogue, romeo: Client) -> None:
    benvolio = network.online("benvolio@montague.lit/pda")
    smtp.say(
        "MAIL FROM:<friar@abbey.example>", "RCPT TO:<romeo@montague.lit>", "RCPT TO:<benvolio@montague.lit>", "DATA"
    )
    assert smtp.say(*LETTER.splitlines(), ".") == ["250 2.0.0 2 taken"]
    assert len(romeo.stanzas) == len(benvolio.stanzas) == 1


def test_the_same_mail_again_is_not_sent_twice(network: MailNetwork, smtp: Dialogue, romeo: Client) -> None:
    for _ in range(2):
        assert smtp.mail(LETTER) == "250 2.0.0 1 taken"
    assert len(romeo.stanzas) == 1
    smtp.mail(LETTER.replace("slow", "fast"))  # another one, whatever its Message-ID says
    smtp.mail("From: a@b.c\n\nsame")
    smtp.mail("From: a@b.c\n\nsame")  # nothing says that it is a repetition
    assert len(romeo.stanzas) == 4


# --- the server is away


def test_while_the_server_is_away_the_other_host_keeps_the_mail(network: MailNetwork, smtp: Dialogue) -> None:
    network.endpoint.is_down = True
    network.endpoint.cable.drop()
    smtp.say("MAIL FROM:<friar@abbey.example>", "RCPT TO:<romeo@montague.lit>", "DATA")
    assert smtp.say(*LETTER.splitlines(), ".", "NOOP") == []
    network.advance(59)
    assert smtp.take() == []
    network.advance(2)
    assert [answer[:9] for answer in smtp.take()] == ["451 4.3.2", "250 2.0.0"]
    network.endpoint.is_down = False
    network.advance(10)
    romeo = network.online("romeo@montague.lit/pda")
    assert not romeo.stanzas
    assert smtp.mail(LETTER) == "250 2.0.0 1 taken"  # the same mail again: it had not been sent
    assert len(romeo.stanzas) == 1


def test_a_server_that_comes_back_in_time(network: MailNetwork, smtp: Dialogue) -> None:
    network.endpoint.is_down = True
    network.endpoint.cable.drop()
    assert smtp.mail(LETTER) == "354 end it with a dot"
    network.endpoint.is_down = False
    network.advance(10)
    assert smtp.take() == ["250 2.0.0 1 taken"]


def test_whoever_hangs_up_meanwhile_has_not_sent_it(network: MailNetwork, smtp: Dialogue) -> None:
    network.endpoint.is_down = True
    network.endpoint.cable.drop()
    smtp.mail(LETTER)
    smtp.connection.drop()
    network.endpoint.is_down = False
    network.advance(10)
    romeo = network.online("romeo@montague.lit/pda")
    assert network.smtp(network.to_gateway).mail(LETTER) == "250 2.0.0 1 taken"
    assert len(romeo.stanzas) == 1


# --- circles


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ("Received: by x\n" * 50, "250 2.0.0"),
        ("Received: by x\n" * 51, "554 5.4.6"),
        (f"X-Xmpplab-Gateway: {MAIL}\n", "554 5.4.6"),
        ("X-Xmpplab-Gateway: mail.verona.lit\n", "250 2.0.0"),
        (f"X-Xmpplab-Gateway: {MAIL}\nList-Id: <l.abbey.example>\n", "250 2.0.0"),
    ],
)
def test_circles(smtp: Dialogue, headers: str, answer: str) -> None:
    assert smtp.mail(headers + LETTER).startswith(answer)


# --- nobody there


def test_the_sender_hears_that_there_is_no_such_account(network: MailNetwork, smtp: Dialogue, tmp_path: Path) -> None:
    assert smtp.mail(LETTER, to="rosaline@montague.lit") == "250 2.0.0 1 taken"
    network.settle()
    [report] = network.inbox()
    assert report["from"] == f"postmaster@{MAIL}"
    assert report["subject"] == "Undelivered: your mail to rosaline@montague.lit"
    assert "service-unavailable" in report["text"]
    [raw] = network.raw(tmp_path)
    assert raw.startswith(b"Return-Path: <>\n")
    assert b"Message-ID: <m1@abbey.example>" in raw


@pytest.mark.parametrize(
    ("letter", "from_"),
    [
        (LETTER, ""),
        ("Auto-Submitted: auto-replied\n" + LETTER, FRIAR),
        ("Precedence: bulk\n" + LETTER, FRIAR),
        ("List-Id: <l.abbey.example>\n" + LETTER, FRIAR),
    ],
)
def test_no_report_on_what_no_person_wrote(network: MailNetwork, smtp: Dialogue, letter: str, from_: str) -> None:
    assert smtp.mail(letter, to="rosaline@montague.lit", from_=from_).startswith("250")
    network.settle()
    assert network.inbox() == []


def test_an_error_that_is_about_no_mail(network: MailNetwork, smtp: Dialogue, romeo: Client) -> None:
    """Nobody can make the gateway send reports: not without a mail, and not on one that somebody else got."""
    smtp.mail(LETTER)
    [message] = romeo.stanzas
    error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    mercutio = network.online("mercutio@montague.lit/pda")
    network.say(mercutio, f"<message type='error' id='{message.get('id')}' to='{FRIAR_JID}'>{error}")
    network.say(romeo, f"<message type='error' id='guess' to='{FRIAR_JID}'>{error}")
    network.say(romeo, f"<message type='error' to='{FRIAR_JID}'>{error}")
    assert network.inbox() == []
    network.say(romeo, f"<message type='error' id='{message.get('id')}' to='{FRIAR_JID}'>{error}")
    assert [report["subject"] for report in network.inbox()] == ["Undelivered: your mail to romeo@montague.lit"]


# --- those of other domains


def test_who_wrote_may_be_answered(network: MailNetwork, smtp: Dialogue) -> None:
    juliet = network.online("juliet@capulet.lit/balcony")
    address = "juliet=40capulet.lit@mail.montague.lit"
    smtp.say("MAIL FROM:<friar@abbey.example>")
    assert smtp.say(f"RCPT TO:<{address}>")[0].startswith("550 5.7.1")
    smtp.say("RSET")
    network.say(juliet, f"<message to='{FRIAR_JID}'><body>Help me.</body></message>")
    assert smtp.mail(LETTER, to=address) == "250 2.0.0 1 taken"
    assert [text(message, "body") for message in juliet.stanzas] == ["Wisely and slow."]


def test_mail_for_the_postmaster_is_taken(smtp: Dialogue, romeo: Client) -> None:
    assert smtp.mail(LETTER, to=f"postmaster@{MAIL}") == "250 2.0.0 1 taken"
    assert not romeo.stanzas


# --- traces


def test_a_mail_that_is_followed(network: MailNetwork, smtp: Dialogue, romeo: Client) -> None:
    smtp.mail("X-Xmpplab-Trace: t1\n" + LETTER)
    [message] = romeo.stanzas
    probe = message.find("{urn:xmpplab:trace:0}probe")
    assert probe is not None
    assert probe.get("id") == "t1"
    assert [(hop.node, hop.event, hop.kind) for hop in network.hops] == [
        ("g2", "received", "mail"), ("g2", "sent", "message"),
    ]  # fmt: skip


def test_what_is_remembered_is_forgotten(tmp_path: Path) -> None:
    now = START_UTC_S
    ledger = MemoryLedger(lambda: now)
    network = MailNetwork(tmp_path, ledger=ledger)
    romeo = network.online("romeo@montague.lit/pda")
    smtp = network.smtp(network.to_gateway)
    smtp.mail(LETTER)
    now += 10 * 86_400
    smtp.mail(LETTER)
    assert len(romeo.stanzas) == 2
