"""Messages that leave as mails: what the host is told, what it refuses; on a clock that stands still."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from cluster.protocols.smtp import queue
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from tests.client import Client
from tests.network import at_once
from tests.unit.gateways.mail.scripted_host import ScriptedHost, errors, ids_of, write
from tests.unit.gateways.mail.world import FRIAR_JID, MAIL, MailNetwork


def test_what_is_said_to_the_host(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    write(network, romeo)
    [id] = ids_of(host)
    assert host.commands == [
        "EHLO mail.montague.lit", f"MAIL FROM:<bounce+{id}>", "RCPT TO:<friar@abbey.example>", "DATA", "RSET",
        "QUIT",
    ]  # fmt: skip
    assert host.texts == ["Help me."]
    assert at_once(network.spool.load()) == []


def test_size_is_said_where_it_is_asked_for(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["EHLO"] = ["250-x\r\n250 SIZE 1000000"]
    write(network, romeo)
    size = sum(len(line) + 2 for line in host.mails[0])
    [id] = ids_of(host)
    assert host.commands[1] == f"MAIL FROM:<bounce+{id}> SIZE={size}"


@pytest.mark.parametrize(("offer", "asks"), [("DSN", True), ("SIZE", False)])
def test_a_receipt_is_asked_for_where_there_are_any(
    network: MailNetwork, host: ScriptedHost, romeo: Client, offer: str, asks: bool
) -> None:
    host.replies["EHLO"] = [f"250-x\r\n250 {offer}"]
    network.say(romeo, f"<message to='{FRIAR_JID}' id='1'><body>x</body><request xmlns='urn:xmpp:receipts'/></message>")
    assert host.commands[2] == "RCPT TO:<friar@abbey.example>" + (" NOTIFY=SUCCESS,FAILURE" if asks else "")


def test_dots_are_doubled_where_a_line_begins_with_one(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    lines = [".", "..", ".x", *["." * 70] * 1_000]
    write(network, romeo, "\n".join(lines))
    assert host.mails[0][-len(lines) :] == lines


def test_many_mails_take_few_connections(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    romeo.send("".join(f"<message to='{FRIAR_JID}'><body>{n}</body></message>" for n in range(50)))
    network.settle()
    assert sorted(host.texts, key=int) == [str(n) for n in range(50)]
    assert network.to_host.attempts <= 2 * queue.MAX_CONNECTIONS


# --- never


@pytest.mark.parametrize(
    ("verb", "reply", "condition"),
    [
        ("RCPT", "550 5.1.1 no such mailbox", "item-not-found"),
        ("RCPT", "550 no such mailbox", "item-not-found"),
        ("RCPT", "553 5.1.3 bad address", "item-not-found"),
        ("RCPT", "551 not here", "item-not-found"),
        ("RCPT", "550 5.7.1 we do not like you", "not-acceptable"),
        ("RCPT", "554 no", "not-acceptable"),
        ("MAIL", "550 we do not like you", "not-acceptable"),
        ("MAIL", "552 5.3.4 too big", "not-acceptable"),
        ("DATA", "554 no", "not-acceptable"),
        (".", "554 5.6.0 spam", "not-acceptable"),
        (".", "550 5.1.1 no such mailbox after all", "item-not-found"),
    ],
)
def test_never(network: MailNetwork, host: ScriptedHost, romeo: Client, verb: str, reply: str, condition: str) -> None:
    host.replies[verb] = [reply]
    write(network, romeo)
    assert errors(romeo) == [("Help me.", condition, reply)]
    assert at_once(network.spool.load()) == []
    write(network, romeo, "another")
    assert host.texts[-1] == "another"
    assert not errors(romeo)


def test_one_refusal_does_not_end_the_connection(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    network.to_host.factory = None
    for n in range(3):
        write(network, romeo, str(n))
    host.replies["RCPT"] = ["550 5.1.1 no", "250 ok", "250 ok"]
    network.to_host.factory = host
    network.advance(5)
    assert len(errors(romeo)) == 1
    assert len(host.texts) == 2


def test_letters_beyond_ascii(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    write(network, romeo, "1", rf"frïar\40abbey.example@{MAIL}")
    [(_, condition, text)] = errors(romeo)
    assert condition == "not-acceptable"
    assert "beyond ASCII" in text
    host.replies["EHLO"] = ["250-x\r\n250 SMTPUTF8"]
    write(network, romeo, "2", rf"frïar\40bücher.example@{MAIL}")
    [id] = ids_of(host)
    assert host.commands[-5] == f"MAIL FROM:<bounce+{id}> SMTPUTF8"
    assert host.commands[-4] == "RCPT TO:<frïar@xn--bcher-kva.example>"
    assert "To: frïar@xn--bcher-kva.example" in host.mails[-1]


def test_a_host_that_knows_only_the_old_greeting(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["EHLO"] = ["502 what"]
    write(network, romeo)
    assert host.commands[1] == "HELO mail.montague.lit"
    assert host.texts == ["Help me."]


# --- the gateway's own ends


def test_what_is_not_sent_outlives_the_process(tmp_path: Path, network: MailNetwork, romeo: Client) -> None:
    network.to_host.factory = None
    write(network, romeo)
    at_once(network.service.stop())
    assert [mail.recipient for mail in at_once(network.spool.load())] == ["friar@abbey.example"]
    later = MailNetwork(tmp_path, spool=network.spool, ledger=network.ledger)
    later.advance(5)
    assert [mail["text"] for mail in later.inbox()] == ["Help me."]


def test_a_mail_that_is_half_sent_is_finished_first(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["RCPT"] = ["silence"]
    write(network, romeo)
    stopped: list[object] = []
    Deferred.fromCoroutine(network.service.stop()).addBoth(stopped.append)
    network.settle()
    assert not stopped
    network.advance(5)
    assert stopped == [None]
    assert len(at_once(network.spool.load())) == 1


def test_an_error_waits_for_a_server_that_is_away(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    network.to_host.factory = None
    write(network, romeo)
    network.endpoint.is_down = True
    network.endpoint.cable.drop()
    network.to_host.factory = host
    host.replies["RCPT"] = ["550 5.1.1 no"]
    network.advance(10)
    assert len(at_once(network.spool.load())) == 1
    network.endpoint.is_down = False
    network.advance(10)
    assert [error[1] for error in errors(romeo)] == ["item-not-found"]
    assert at_once(network.spool.load()) == []


def test_no_more_mails_than_there_is_room_for(
    network: MailNetwork, romeo: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MAX_MAILS", 1)
    network.to_host.factory = None
    write(network, romeo, "the last")
    write(network, romeo, "one more")
    assert [error[:2] for error in errors(romeo)] == [("one more", "resource-constraint")]


def test_a_stanza_that_comes_twice_is_sent_once(network: MailNetwork, host: ScriptedHost) -> None:
    """After a crash a link brings a stanza again, with the same stanza-id (XEP-0359)."""
    raw = (
        b"<message from='hamlet@elsinore.lit/x' to='friar\\40abbey.example@mail.montague.lit'><body>Who</body>"
        b"<stanza-id xmlns='urn:xmpp:sid:0' by='montague.lit' id='%s'/></message>"
    )
    payloads = ("jabber:client body", "urn:xmpp:sid:0 stanza-id")
    for id in (b"1-0", b"1-0", b"2-0"):
        hamlet, friar = Jid.parse("hamlet@elsinore.lit/x"), Jid.parse(FRIAR_JID)
        network.runtime.take(Stanza("message", friar, hamlet, None, None, payloads, raw % id))
        network.settle()
    assert len(host.mails) == 2


def test_mails_of_one_sender_for_one_recipient_keep_their_order(
    network: MailNetwork, host: ScriptedHost, romeo: Client
) -> None:
    """Also over several connections, one of which is refused for now in between."""
    host.replies["DATA"] = ["451 4.3.0 later", *["354 go on"] * 100]
    juliet = network.online("juliet@capulet.lit/balcony")
    for who, begin in ((romeo, "r"), (juliet, "j")):
        who.send("".join(f"<message to='{FRIAR_JID}'><body>{begin}{n}</body></message>" for n in range(20)))
    network.settle()
    network.advance(queue.FIRST_PAUSE_S)
    for begin in "rj":
        assert [text for text in host.texts if text[0] == begin] == [f"{begin}{n}" for n in range(20)]


def test_mails_keep_their_order_over_a_restart(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    network.to_host.factory = None
    write(network, romeo, "0")
    romeo.send("".join(f"<message to='{FRIAR_JID}'><body>{n}</body></message>" for n in range(1, 9)))
    network.settle()  # on a clock that stands still
    kept = [mail.data.rstrip().rpartition(b"\r\n")[2] for mail in at_once(network.spool.load())]
    assert kept == [str(n).encode() for n in range(9)]
    network.spool._mails = dict(sorted(network.spool._mails.items(), key=lambda item: item[0][::-1]))  # a hash has none
    assert [mail.data.rstrip()[-1:] for mail in at_once(network.spool.load())] == [str(n).encode() for n in range(9)]


def test_mails_that_wait_are_bounded_in_bytes(
    network: MailNetwork, host: ScriptedHost, romeo: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MAX_BYTES", 3_500)
    network.to_host.factory = None
    for _ in range(4):
        write(network, romeo, "x" * 1_000)
    assert [condition for _, condition, _ in errors(romeo)] == ["resource-constraint"] * 2


def test_a_reply_without_an_end(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["EHLO"] = ["250-x\r\n" * 100_000 + "250 x"]
    write(network, romeo)
    assert host.commands == ["EHLO mail.montague.lit"]
    network.advance(queue.FIRST_PAUSE_S)
    assert host.texts == ["Help me."]


def test_a_connection_carries_few_mails(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    """Exim would put the eleventh aside."""
    romeo.send("".join(f"<message to='{FRIAR_JID}'><body>{n}</body></message>" for n in range(25)))
    network.settle()
    assert host.texts == [str(n) for n in range(25)]
    ends = [index for index, command in enumerate(host.commands) if command == "QUIT"]
    carried = [
        sum(command.startswith("MAIL") for command in host.commands[begin:end])
        for begin, end in zip([0, *ends], ends, strict=False)
    ]
    assert carried == [10, 10, 5]
