"""From XMPP to a mailbox and back, through the gateway and the lab's mail host."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from twisted.internet.defer import fail
from twisted.internet.error import ConnectionLost

from cluster.protocols.mime.report import Report, compose_report
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from tests.client import Client
from tests.network import at_once, watched_log
from tests.unit.gateways.mail.world import FRIAR, FRIAR_JID, MAIL, MailNetwork

INFO = "http://jabber.org/protocol/disco#info"


@pytest.fixture
def network(tmp_path: Path) -> Iterator[MailNetwork]:
    with watched_log() as failures:
        network = MailNetwork(tmp_path)
        yield network
    assert not failures


@pytest.fixture
def romeo(network: MailNetwork) -> Client:
    return network.online("romeo@montague.lit/pda")


def say(network: MailNetwork, client: Client, payload: str, to: str = FRIAR_JID, attributes: str = "id='1'") -> None:
    network.say(client, f"<message to='{to}' {attributes}>{payload}</message>")


def refused(client: Client) -> list[tuple[str, str]]:
    """Condition and text of the error stanzas that came."""
    namespace = "urn:ietf:params:xml:ns:xmpp-stanzas"
    errors = [found for stanza in client.stanzas if (found := stanza.find("{jabber:client}error")) is not None]
    return [(xml.split(error[0].tag)[1], xml.text_of(error, f"{{{namespace}}}text") or "") for error in errors]


def text(stanza: Element, name: str) -> str | None:
    return stanza.findtext(f"{{jabber:client}}{name}")


def test_there_and_back(network: MailNetwork, romeo: Client, tmp_path: Path) -> None:
    say(network, romeo, "<subject>Marriage</subject><body>Wilt thou?</body><thread>e0ffe42b</thread>")
    [mail] = network.inbox()
    assert (mail["from"], mail["subject"], mail["text"]) == ("romeo@montague.lit", "Marriage", "Wilt thou?")
    raw = message_from_bytes(network.raw(tmp_path)[0], policy=policy.default)
    assert raw["Return-Path"] == f"<bounce+{network.key()}@{MAIL}>"
    assert raw["Message-ID"] == mail["message_id"] == f"<{network.key()}@{MAIL}>"
    assert raw["References"] == raw["In-Reply-To"] == f"<thread.e0ffe42b@{MAIL}>"
    assert raw["Reply-To"] == "romeo@montague.lit"
    assert raw["X-Xmpplab-Gateway"] == MAIL
    assert raw["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    at_once(network.host.administration.reply(FRIAR, mail["message_id"], "I will."))
    network.settle()
    [reply] = romeo.stanzas
    assert reply.get("from") == FRIAR_JID
    assert (text(reply, "subject"), text(reply, "body"), text(reply, "thread")) == (
        "Re: Marriage",
        "I will.",
        "e0ffe42b",
    )


def test_from_another_domain(network: MailNetwork) -> None:
    juliet = network.online("juliet@capulet.lit/balcony")
    say(network, juliet, "<body>Tell me not, friar.</body>")
    [mail] = network.inbox()
    assert mail["from"] == f"juliet=40capulet.lit@{MAIL}"
    at_once(network.host.administration.reply(FRIAR, mail["message_id"], "Hold, daughter."))
    network.settle()
    assert [text(message, "body") for message in juliet.stanzas] == ["Hold, daughter."]


def test_a_conversation_that_friar_begins(network: MailNetwork, romeo: Client, tmp_path: Path) -> None:
    first = at_once(network.host.administration.send(FRIAR, "romeo@montague.lit", "News", "Thou art banished."))
    network.settle()
    [message] = romeo.stanzas
    assert text(message, "thread") == first.strip("<>")
    say(network, romeo, f"<body>Ha, banishment!</body><thread>{text(message, 'thread')}</thread>")
    raw = message_from_bytes(network.raw(tmp_path)[0], policy=policy.default)
    assert raw["References"] == first
    assert raw["Subject"] == "Ha, banishment!"


@pytest.mark.parametrize(
    "body",
    [
        "\nBcc: evil@x.y\n\n.\nQUIT\n", ".\r\n.\r\nMAIL FROM:&lt;x@y&gt;", "=?utf-8?q?=0D=0ABcc:_x?=",
        "Grüße ✓ \U0001f339",
        "From me", "\x7f\x9d\u2028", "x" * 5_000, "&lt;&amp;",
        "  indented\n\n\ttabs  ",
    ],
)  # fmt: skip
def test_a_body_arrives_and_does_nothing_else(network: MailNetwork, romeo: Client, tmp_path: Path, body: str) -> None:
    say(network, romeo, f"<body>{body}</body>")
    say(network, romeo, f"<subject>{body}</subject><body>x</body>")
    raw, other = (message_from_bytes(data, policy=policy.default) for data in network.raw(tmp_path))
    sent = xml.parse(f"<x>{body}</x>".encode()).text or ""
    assert raw.get_content().replace("\r\n", "\n").rstrip("\n") == sent.rstrip("\n")
    for mail in (raw, other):
        assert mail["To"] == FRIAR
        assert "Bcc" not in mail
        assert not mail.defects
    assert other.get_content() == "x\n"


def test_what_says_nothing_is_no_mail(network: MailNetwork, romeo: Client) -> None:
    say(network, romeo, "<composing xmlns='http://jabber.org/protocol/chatstates'/>", attributes="type='chat'")
    say(network, romeo, "<received xmlns='urn:xmpp:receipts' id='1'/>")
    say(network, romeo, "<body/>")
    assert network.inbox() == []
    assert not refused(romeo)


def test_a_language_of_its_own(network: MailNetwork, romeo: Client) -> None:
    say(network, romeo, "<body xml:lang='cs'>Ahoj</body><body>Hello</body>")
    assert [mail["text"] for mail in network.inbox()] == ["Hello"]


def test_a_headline_says_that_nobody_should_answer(network: MailNetwork, romeo: Client, tmp_path: Path) -> None:
    say(network, romeo, "<body>The feast begins.</body>", attributes="type='headline'")
    assert b"\nAuto-Submitted: auto-generated\n" in network.raw(tmp_path)[0]


@pytest.mark.parametrize(
    ("to", "condition"),
    [
        (f"nobody@{MAIL}", "item-not-found"),
        (rf"a\40b\40c@{MAIL}", "item-not-found"),
        (rf"friar\40[127.0.0.1]@{MAIL}", "item-not-found"),
        (rf"x\3e\20rcpt\40abbey.example@{MAIL}", "item-not-found"),
        (rf"benvolio\40montague.lit@{MAIL}", "not-acceptable"),
        (rf"juliet=40capulet.lit\40{MAIL}@{MAIL}", "not-acceptable"),
        (MAIL, "service-unavailable"),
    ],
)
def test_addresses_that_no_mail_goes_to(network: MailNetwork, romeo: Client, to: str, condition: str) -> None:
    say(network, romeo, "<body>x</body>", to=to)
    assert [error[0] for error in refused(romeo)] == [condition]
    assert network.to_host.attempts == 0


def test_a_mailbox_that_there_is_not(network: MailNetwork, romeo: Client) -> None:
    say(network, romeo, "<body>x</body>", to=rf"nobody\40abbey.example@{MAIL}")
    assert refused(romeo) == [("item-not-found", "550 5.1.1 no mailbox nobody@abbey.example")]
    assert romeo.stanzas[0].get("id") == "1"


def test_a_mail_host_that_refuses_and_thinks_better_of_it(network: MailNetwork, romeo: Client) -> None:
    at_once(network.host.administration.fault_set(refuse="451 4.7.1 come back later"))
    say(network, romeo, "<body>patience</body>")
    network.advance(6)
    assert network.inbox() == []
    at_once(network.host.administration.fault_clear())
    network.advance(10)
    assert [mail["text"] for mail in network.inbox()] == ["patience"]
    assert not refused(romeo)


def test_redis_is_away(network: MailNetwork, romeo: Client) -> None:
    def away(mail: object) -> object:
        return fail(ConnectionLost())

    network.spool.put = away
    say(network, romeo, "<body>x</body>")
    [(condition, _)] = refused(romeo)
    assert condition == "resource-constraint"
    assert network.service.queue.waiting == 0


def test_redis_is_away_when_a_mail_was_sent(network: MailNetwork, romeo: Client) -> None:
    """Found by `xmpplab simulate`: the next process would send it again."""
    drop, is_away = network.spool.drop, True
    network.spool.drop = lambda id: fail(ConnectionLost()) if is_away else drop(id)
    say(network, romeo, "<body>x</body>")
    assert [mail["text"] for mail in network.inbox()] == ["x"]
    network.advance(3)
    assert len(at_once(network.spool.load())) == 1
    is_away = False
    network.advance(1)
    assert at_once(network.spool.load()) == []


def test_redis_is_away_when_a_mail_is_on_its_way(network: MailNetwork, romeo: Client) -> None:
    """Its sender is not told to try again: it would arrive twice."""
    note, is_away = network.ledger.note, True

    def call(key: str, record: object) -> object:
        return fail(ConnectionLost()) if is_away and not key.startswith("from ") else note(key, record)

    network.ledger.note = call
    say(network, romeo, "<body>x</body>")
    assert not refused(romeo)
    is_away = False
    network.advance(1)
    assert not refused(romeo)
    assert at_once(network.ledger.find(network.key())) is not None


# --- reports


def report(key: str, status: str = "5.1.1", **changes: object) -> bytes:
    fields: dict[str, object] = {
        "reporter": "mx.far.example", "return_path": f"bounce+{key}@{MAIL}", "recipient": "friar@far.example",
        "status": status, "text": "550 no such user", "headers": f"Message-ID: <{key}@{MAIL}>".encode(),
        "message_id": "<r@far.example>", "date_utc_s": 0.0, "boundary": "b",
    }  # fmt: skip
    return compose_report(Report(**{**fields, **changes}))


@pytest.mark.parametrize(
    ("status", "condition"),
    [("5.1.1", "item-not-found"), ("5.7.1", "not-acceptable"), ("4.4.7", "remote-server-timeout")],
)
def test_a_failure_that_is_reported_later(network: MailNetwork, romeo: Client, status: str, condition: str) -> None:
    say(network, romeo, "<body>x</body>")
    smtp = network.smtp(network.to_gateway)
    key = network.key()
    assert smtp.mail(report(key, status), to=f"bounce+{key}@{MAIL}", from_="").startswith("250")
    assert refused(romeo) == [(condition, f"{status} 550 no such user")]
    [error] = romeo.stanzas
    assert (error.get("from"), error.get("id"), error.get("type")) == (FRIAR_JID, "1", "error")


def test_a_report_to_the_wrong_address(network: MailNetwork, romeo: Client) -> None:
    """Some hosts send it to whoever is in From, not to the return path."""
    say(network, romeo, "<body>x</body>")
    smtp = network.smtp(network.to_gateway)
    assert smtp.mail(report(network.key()), to="romeo@montague.lit", from_="").startswith("250")
    assert [error[0] for error in refused(romeo)] == ["item-not-found"]
    assert len(romeo.stanzas) == 1


def test_a_report_that_is_about_no_mail_of_ours(network: MailNetwork, romeo: Client) -> None:
    smtp = network.smtp(network.to_gateway)
    smtp.mail(report("guess"), to="romeo@montague.lit", from_="")
    assert not refused(romeo)
    assert [text(message, "subject") for message in romeo.stanzas] == ["Undelivered: your mail to friar@far.example"]


@pytest.mark.parametrize("data", [b"From: x@y.z\r\n\r\nI am on holiday.", report("x").replace(b"failed", b"delayed")])
def test_other_mail_to_the_return_path_is_nobodys(network: MailNetwork, romeo: Client, data: bytes) -> None:
    say(network, romeo, "<body>x</body>")
    assert network.smtp(network.to_gateway).mail(data, to=f"bounce+{network.key()}@{MAIL}", from_="").startswith("250")
    assert not romeo.stanzas


# --- receipts


RECEIPT = "<request xmlns='urn:xmpp:receipts'/>"


def test_a_delivery_becomes_a_receipt(network: MailNetwork, romeo: Client) -> None:
    """XEP-0184 on one side, a delivery status notification (RFC 3461, RFC 3464) on the other."""
    say(network, romeo, f"<body>x</body>{RECEIPT}", attributes="id='1' type='chat'")
    [receipt] = romeo.stanzas
    assert (receipt.get("from"), receipt.get("type")) == (FRIAR_JID, "chat")
    assert [child.get("id") for child in receipt.findall("{urn:xmpp:receipts}received")] == ["1"]
    assert len(network.inbox()) == 1


@pytest.mark.parametrize("payload", ["<body>no receipt wanted</body>", f"<body>x</body>{RECEIPT}"])
def test_no_receipt_that_nobody_wants_or_that_means_nothing(network: MailNetwork, romeo: Client, payload: str) -> None:
    """Without an id there is nothing that a receipt could name (section 5.1)."""
    say(network, romeo, payload, attributes="type='chat'" if RECEIPT in payload else "id='1'")
    assert romeo.stanzas == []
    assert len(network.inbox()) == 1


def test_a_delivery_that_nobody_asked_about(network: MailNetwork, romeo: Client) -> None:
    say(network, romeo, "<body>x</body>")
    key = network.key()
    data = report(key, "2.0.0", action="delivered")
    assert network.smtp(network.to_gateway).mail(data, to=f"bounce+{key}@{MAIL}", from_="").startswith("250")
    assert romeo.stanzas == []


# --- what others see of it


def test_what_the_gateway_is(network: MailNetwork, romeo: Client) -> None:
    network.say(romeo, f"<iq type='get' id='i' to='{MAIL}'><query xmlns='{INFO}'/></iq>")
    [reply] = romeo.stanzas
    identity = reply[0][0]
    assert dict(identity.items()) == {"category": "gateway", "type": "smtp", "name": "Mail"}


def test_the_jid_of_an_address(network: MailNetwork, romeo: Client) -> None:
    query = "<query xmlns='jabber:iq:gateway'><prompt>Friar@Abbey.Example</prompt></query>"
    network.say(romeo, f"<iq type='set' id='i' to='{MAIL}'>{query}</iq>")
    assert romeo.stanzas[0][0][0].text == FRIAR_JID


def test_a_message_that_is_followed_and_its_reply(network: MailNetwork, romeo: Client) -> None:
    say(network, romeo, "<body>x</body><probe xmlns='urn:xmpplab:trace:0' id='t1'/>")
    [mail] = network.inbox()
    assert mail["trace_id"] == "t1"
    assert [(hop.node, hop.event, hop.kind, hop.trace_id) for hop in network.hops] == [
        ("g2", "received", "message", "t1"), ("g2", "enqueued", "mail", "t1"), ("fn2", "received", "mail", "t1"),
        ("fn2", "routed", "mail", "t1"), ("fc2", "delivered", "mail", "t1"), ("g2", "sent", "mail", "t1"),
    ]  # fmt: skip
    network.hops.clear()
    at_once(network.host.administration.reply(FRIAR, mail["message_id"], "y", trace_id="t2"))
    network.settle()
    [reply] = romeo.stanzas
    assert [child.get("id") for child in reply.findall("{urn:xmpplab:trace:0}probe")] == ["t2"]
    assert [(hop.node, hop.event, hop.kind, hop.trace_id) for hop in network.hops] == [
        ("fc2", "sent", "mail", "t2"), ("fn2", "received", "mail", "t2"), ("fn2", "enqueued", "mail", "t2"),
        ("g2", "received", "mail", "t2"), ("g2", "sent", "message", "t2"), ("fn2", "sent", "mail", "t2"),
    ]  # fmt: skip


def test_a_trace_id_that_could_be_no_header(network: MailNetwork, romeo: Client, tmp_path: Path) -> None:
    say(network, romeo, "<body>x</body><probe xmlns='urn:xmpplab:trace:0' id='a&#10;Bcc: x'/>")
    assert b"Bcc" not in network.raw(tmp_path)[0]
    assert b"X-Xmpplab-Trace" not in network.raw(tmp_path)[0]
