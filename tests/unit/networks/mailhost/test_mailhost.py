"""The lab's mail host: its mailboxes, whom it lets in, and what its operator may ask."""

from __future__ import annotations

import mailbox
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.networks.mailhost import mailbox as mailhost_mailbox
from cluster.networks.mailhost.mailbox import Mailbox
from cluster.protocols.smtp.receiver import Envelope, Refused
from tests.network import at_once, watched_log
from tests.unit.gateways.mail.world import FRIAR, MAIL, MailNetwork

ABBOT = "abbot@abbey.example"


@pytest.fixture
def network(tmp_path: Path) -> Iterator[MailNetwork]:
    with watched_log() as failures:
        yield MailNetwork(tmp_path)
    assert not failures


def send(network: MailNetwork, to: str, text: str = "hi", subject: str = "s", sender: str = FRIAR) -> str:
    message_id = at_once(network.host.administration.send(sender, to, subject, text))
    network.settle()
    return message_id


def test_mails_are_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    box = Mailbox(FRIAR, "fc2", tmp_path / "box")
    for n in range(12):
        box.deliver(b"From: a@b.c\r\nSubject: %d\r\n\r\nx\r\n" % n, 1_700_000_000.0 + n // 4)
    assert [mail["subject"] for mail in box.inbox()] == [str(n) for n in range(12)]
    assert box.inbox()[4]["at_utc_s"] == 1_700_000_001.0


def test_other_programs_can_open_it(tmp_path: Path) -> None:
    box = Mailbox(FRIAR, "fc2", tmp_path / "box")
    box.deliver(b"Subject: s\r\n\r\nx\r\n", 0.0)
    maildir = mailbox.Maildir(tmp_path / "box")
    [key] = maildir.keys()
    assert maildir.get_bytes(key) == b"Subject: s\n\nx\n"
    message = maildir[key]
    message.set_subdir("cur")
    message.add_flag("S")
    maildir[key] = message
    assert [mail["subject"] for mail in box.inbox()] == ["s"]


def test_whatever_it_is_it_is_kept(tmp_path: Path) -> None:
    box = Mailbox(FRIAR, "fc2", tmp_path / "box")
    box.deliver(b"\0\xff\r\n\r\n", 0.0)
    box.deliver(b"", 0.0)
    assert len(box.inbox()) == 2
    assert box.find("<nothing@x>") is None


def test_from_one_mailbox_to_another(network: MailNetwork) -> None:
    message_id = send(network, "Abbot+tag@ABBEY.example", "Bless me.", "Grüße")
    assert network.inbox(ABBOT) == [
        {
            "at_utc_s": network.now_utc_s(), "from": FRIAR, "subject": "Grüße", "text": "Bless me.",
            "message_id": message_id, "trace_id": "",
        }
    ]  # fmt: skip
    at_once(network.host.administration.reply(ABBOT, message_id, "Bless you."))
    [answer] = network.inbox()
    assert (answer["subject"], answer["text"]) == ("Re: Grüße", "Bless you.")
    assert at_once(network.host.administration.inbox(FRIAR, after=1)) == []


@pytest.mark.parametrize(
    ("to", "answer"),
    [
        (FRIAR, "250 2.1.5"), ("FRIAR+x@Abbey.Example", "250 2.1.5"), ("nobody@abbey.example", "550 5.1.1"),
        ("romeo@montague.lit", "550 5.7.1"), ("x@evil.abbey.example", "550 5.7.1"),
    ],
)  # fmt: skip
def test_whom_it_takes_mail_for(network: MailNetwork, to: str, answer: str) -> None:
    smtp = network.smtp(network.to_host)
    smtp.say("EHLO x", "MAIL FROM:<a@b.c>")
    assert smtp.say(f"RCPT TO:<{to}>")[0].startswith(answer)


def test_one_mail_for_two_mailboxes(network: MailNetwork, tmp_path: Path) -> None:
    smtp = network.smtp(network.to_host)
    smtp.say("EHLO far.example", "MAIL FROM:<a@b.c>", f"RCPT TO:<{FRIAR}>", f"RCPT TO:<{ABBOT}>", f"RCPT TO:<{FRIAR}>")
    assert smtp.say("DATA", "Subject: x", "", "y", ".")[-1].startswith("250 2.0.0 delivered as")
    assert len(network.inbox()) == len(network.inbox(ABBOT)) == 1
    [raw] = network.raw(tmp_path)
    assert raw.startswith(b"Return-Path: <a@b.c>\nDelivered-To: friar@abbey.example\nReceived: from far.example ([")


def test_a_delivery_is_reported_where_that_is_asked_for(network: MailNetwork) -> None:
    """RFC 3461; what the sender knows the mail and its recipient by comes back."""
    network.account("romeo@montague.lit")
    smtp = network.smtp(network.to_host)
    assert "250-DSN" in [line.replace(" ", "-", 1) for line in smtp.say("EHLO far.example")]
    smtp.say("MAIL FROM:<romeo@montague.lit> RET=HDRS ENVID=QQ314159")
    smtp.say(f"RCPT TO:<{FRIAR}> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Friar@Abbey.Example", f"RCPT TO:<{ABBOT}>")
    romeo = network.online("romeo@montague.lit/pda")
    assert smtp.say("DATA", "Subject: x", "", "y", ".")[-1].startswith("250")
    network.settle()
    [message] = romeo.stanzas
    body = message.findtext("{jabber:client}body") or ""
    assert body.startswith(f"Your mail to {FRIAR} was delivered:")
    assert message.findtext("{jabber:client}subject") == f"Delivered: your mail to {FRIAR}"


def test_a_report_that_no_way_leads_to(network: MailNetwork) -> None:
    smtp = network.smtp(network.to_host)
    for who in ("<a@far.example>", "<>"):
        smtp.say("EHLO far.example", f"MAIL FROM:{who}", f"RCPT TO:<{FRIAR}> NOTIFY=SUCCESS")
        assert smtp.say("DATA", "", "y", ".")[-1].startswith("250")
    assert len(network.inbox()) == 2


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("MAIL FROM:<a@b.c> RET=ALL", "501 5.5.4 RET cannot be ALL"),
        ("MAIL FROM:<a@b.c> ENVID=", "501 5.5.4 ENVID cannot be empty"),
        (f"RCPT TO:<{FRIAR}> NOTIFY=NEVER,SUCCESS", "501 5.5.4 NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY"),
        (f"RCPT TO:<{FRIAR}> ORCPT=x", "501 5.5.4 write it as ORCPT=rfc822;address"),
        (f"RCPT TO:<{FRIAR}> X=Y", "555 5.5.4 unknown parameter X"),
    ],
)
def test_bad_requests_for_reports(network: MailNetwork, command: str, answer: str) -> None:
    smtp = network.smtp(network.to_host)
    smtp.say("EHLO far.example", *(["MAIL FROM:<a@b.c>"] if command.startswith("RCPT") else []))
    assert smtp.say(command) == [answer]


def test_a_mail_that_goes_in_a_circle(network: MailNetwork) -> None:
    smtp = network.smtp(network.to_host)
    assert smtp.mail("Received: x\n" * 51 + "\nhi", to=FRIAR).startswith("554 5.4.6")


@pytest.mark.parametrize("reply", ["no", "250 2.0.0 fine", "451 later", "451 4.7.1 a\r\n250 ok"])
def test_what_is_no_refusal(network: MailNetwork, reply: str) -> None:
    with pytest.raises(ValueError, match="write it like"):
        at_once(network.host.administration.fault_set(refuse=reply))


def test_a_fault_and_its_end(network: MailNetwork) -> None:
    smtp = network.smtp(network.to_host)
    at_once(network.host.administration.fault_set(refuse="552 5.2.2 mailbox full"))
    smtp.say("MAIL FROM:<a@b.c>")
    assert smtp.say(f"RCPT TO:<{FRIAR}>") == ["552 5.2.2 mailbox full"]
    at_once(network.host.administration.fault_clear())
    assert smtp.say(f"RCPT TO:<{FRIAR}>")[0].startswith("250")


def test_a_host_that_thinks_about_it(network: MailNetwork) -> None:
    smtp = network.smtp(network.to_host)
    at_once(network.host.administration.fault_set(delay_s=3.0))
    smtp.say("MAIL FROM:<a@b.c>")
    assert smtp.say(f"RCPT TO:<{FRIAR}>") == []
    network.advance(3)
    assert smtp.take() == ["250 2.1.5 go on"]


def test_a_host_that_takes_few_mails(network: MailNetwork) -> None:
    at_once(network.host.administration.fault_set(max_per_s=1.0))
    smtp = network.smtp(network.to_host)
    answers = [smtp.mail("hi", to=FRIAR) for _ in range(2)]
    assert answers[0].startswith("250")
    assert not answers[1].startswith("250")
    assert len(network.inbox()) == 1
    at_once(network.host.administration.fault_clear())
    smtp.say("RSET")
    assert smtp.mail("hi", to=FRIAR).startswith("250")


def test_a_host_that_is_down(network: MailNetwork) -> None:
    smtp = network.smtp(network.to_host)
    at_once(network.host.administration.fault_set(down=True))
    network.settle()
    assert smtp.take() == ["421 4.3.2 going down"]
    assert network.to_host.factory is None
    assert at_once(network.host.administration.fault_set(delay_s=1.0)) == {"down": True, "delay_s": 1.0}
    at_once(network.host.administration.fault_clear())
    assert network.smtp(network.to_host).mail("hi", to=FRIAR).startswith("250")


def test_what_cannot_be_sent(network: MailNetwork) -> None:
    ask = network.host.administration
    for refused, why in (
        (lambda: ask.send("x@y.z", FRIAR, "", ""), f"no mailbox x@y.z (mailboxes: {FRIAR}, {ABBOT})"),
        (lambda: ask.send(FRIAR, "nobody@abbey.example", "", ""), "no mailbox nobody@abbey.example"),
        (lambda: ask.send(FRIAR, "x@nowhere.example", "", ""), "mx.abbey.example knows no way to nowhere.example"),
        (lambda: ask.send(FRIAR, "no address", "", ""), "'no address' is not a mail address"),
        (lambda: ask.send(FRIAR, ABBOT, "", "", trace_id="a b"), "'a b' is not a trace id"),
        (lambda: ask.reply(FRIAR, "<x@y>", ""), f"{FRIAR} has no mail <x@y>"),
        (lambda: ask.inbox("x@y.z"), "no mailbox x@y.z"),
    ):
        with pytest.raises(ValueError, match="^" + re.escape(why)):
            at_once(refused())


def test_who_there_is(network: MailNetwork) -> None:
    send(network, ABBOT)
    assert at_once(network.host.administration.mailbox_ls()) == [
        {"address": FRIAR, "name": "fc2", "mails": 0}, {"address": ABBOT, "name": "fc3", "mails": 1},
    ]  # fmt: skip


def test_the_gateway_is_down(network: MailNetwork, tmp_path: Path) -> None:
    network.account("romeo@montague.lit")
    gateway, network.to_gateway.factory = network.to_gateway.factory, None
    send(network, "romeo@montague.lit")
    assert at_once(network.host.administration.status())["waiting"] == {"montague.lit": 1, MAIL: 0}
    assert len([*(tmp_path / "spool" / "montague.lit").iterdir()]) == 1
    network.to_gateway.factory = gateway
    network.advance(6)
    assert at_once(network.host.administration.status())["waiting"] == {"montague.lit": 0, MAIL: 0}
    assert [*(tmp_path / "spool" / "montague.lit").iterdir()] == []


def test_the_writer_hears_of_a_refusal(network: MailNetwork) -> None:
    send(network, f"nobody@{MAIL}", subject="Help")
    [report] = network.inbox()
    assert report["from"] == "postmaster@mx.abbey.example"
    assert f"550 5.1.1 no mailbox nobody@{MAIL}" in report["text"]


def test_the_writer_hears_of_a_silence(network: MailNetwork) -> None:
    network.to_gateway.factory = None
    send(network, "romeo@montague.lit")
    for _ in range(20):
        network.advance(900)
    [report] = network.inbox()
    assert "cannot connect" in report["text"]


def test_a_mailbox_is_bounded(network: MailNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5321 section 4.2.3: 452. Somebody who deletes mails makes room."""
    monkeypatch.setattr(mailhost_mailbox, "MAX_BYTES", 5_000)
    host = network.host._host
    send(network, ABBOT, "x" * 6_000)
    with pytest.raises(ValueError, match="is full; delete some"):
        send(network, ABBOT)
    envelope = Envelope("127.0.0.1", "h", "a@b.c", [])
    with pytest.raises(Refused, match=r"4\.2\.2") as refused:
        at_once(host.check_recipient(envelope, ABBOT))
    assert refused.value.code == 452
    for file in host._mailboxes[ABBOT]._kept._files():
        file.unlink()
    at_once(host.check_recipient(envelope, ABBOT))
