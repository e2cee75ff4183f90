"""Messages that leave as mails: tried, refused, given up; on a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver

from cluster.gateways.mail import queue
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, error_of
from tests.client import Client
from tests.network import at_once, watched_log
from tests.unit.gateways.mail.world import FRIAR_JID, MAIL, MailNetwork

USUAL = {
    "": "220 x", "EHLO": "250 x", "HELO": "250 x", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on",
    ".": "250 taken", "RSET": "250 ok", "QUIT": "221 bye",
}  # fmt: skip


class Script(LineOnlyReceiver):
    """A host that replies as it is told, by the words that a line begins with; `.` for a whole mail."""

    def __init__(self, host: ScriptedHost) -> None:
        self._host = host
        self._mail: list[str] | None = None
        """Its lines, while it is being brought."""

    def connectionMade(self) -> None:
        self._reply("")

    def lineReceived(self, line: bytes) -> None:
        words = line.decode("utf-8")
        if words == "." and self._mail is not None:
            self._host.mails.append(self._mail)
            self._mail = None
            self._reply(".")
        elif self._mail is not None:
            self._mail.append(words.removeprefix("."))
        else:
            self._command(words)

    def _command(self, words: str) -> None:
        self._host.commands.append(words)
        self._reply(words[:4])

    def _reply(self, verb: str) -> None:
        replies = self._host.replies.get(verb, [])
        reply = replies.pop(0) if replies else USUAL[verb]
        if reply == "hang up":
            self.transport.loseConnection()  # type: ignore[union-attr,misc]
            return
        if reply == "silence":
            return
        if reply.startswith("354"):
            self._mail = []
        self.sendLine(reply.encode())  # type: ignore[no-untyped-call]
        if reply.startswith(("221", "421")):
            self.transport.loseConnection()  # type: ignore[union-attr,misc]


class ScriptedHost(Factory):
    """What it was told, and what it will reply."""

    noisy = False

    def __init__(self) -> None:
        self.replies: dict[str, list[str]] = {}
        self.commands: list[str] = []
        self.mails: list[list[str]] = []

    def buildProtocol(self, addr: object) -> Any:
        return Script(self)

    @property
    def texts(self) -> list[str]:
        """Of the mails that it was brought, taken or not."""
        mails = ("\n".join(lines).encode() for lines in self.mails)
        return [str(message_from_bytes(mail).get_payload()).strip() for mail in mails]


@pytest.fixture
def network(tmp_path: Path) -> Iterator[MailNetwork]:
    with watched_log() as failures:
        network = MailNetwork(tmp_path)
        yield network
    assert not failures


@pytest.fixture
def host(network: MailNetwork) -> ScriptedHost:
    """In place of the lab's mail host."""
    network.to_host.factory = host = ScriptedHost()
    return host


@pytest.fixture
def romeo(network: MailNetwork) -> Client:
    return network.online("romeo@montague.lit/pda")


def write(network: MailNetwork, romeo: Client, text: str = "Help me.", to: str = FRIAR_JID) -> None:
    network.say(romeo, f"<message to='{to}' id='{text}' type='chat'><body>{text}</body></message>")


def errors(romeo: Client) -> list[tuple[str | None, str, str]]:
    """Id, condition and text of each that came since it was last asked."""
    found = [(stanza.get("id"), _error(stanza)) for stanza in romeo.stanzas if stanza.get("type") == "error"]
    romeo.stanzas.clear()
    return [(id, str(error.condition), error.text) for id, error in found]


def _error(stanza: Element) -> StanzaError:
    return error_of(Stanza("message", None, None, None, "error", (), xml.serialize(stanza)))


def ids_of(host: ScriptedHost) -> set[str]:
    """The Message-IDs of all mails that it took, without < and >."""
    lines = (line for mail in host.mails for line in mail)
    return {line[13:-1] for line in lines if line.startswith("Message-ID: <")}


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


# --- later


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("RCPT", "451 4.7.1 greylisted"), ("MAIL", "452 4.3.1 full"), ("DATA", "451 later"), (".", "450 4.2.1 later"),
        ("RCPT", "421 4.3.2 going down"), (".", "hang up"), ("RCPT", "hang up"), ("EHLO", "421 busy"), ("", "554 no"),
        ("", "hang up"), (".", "199 what"), ("RSET", "550 no"),
    ],
)  # fmt: skip
def test_not_now(network: MailNetwork, host: ScriptedHost, romeo: Client, verb: str, reply: str) -> None:
    host.replies[verb] = [reply]
    write(network, romeo)
    taken = 1 if verb == "RSET" else 0
    assert network.service.queue.waiting == 1 - taken
    network.advance(4.9)
    assert not errors(romeo)
    network.advance(0.2)
    assert network.service.queue.waiting == 0
    assert host.texts[-1] == "Help me."
    assert len(ids_of(host)) == 1  # whoever got it twice can tell
    assert not errors(romeo)


def test_a_host_that_is_silent(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["RCPT"] = ["silence"]
    write(network, romeo)
    network.advance(299)
    assert len(host.commands) == 3
    network.advance(2)
    network.advance(5)
    assert host.texts == ["Help me."]


def test_a_goodbye_that_is_not_answered(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["QUIT"] = ["silence"]
    write(network, romeo, "1")
    write(network, romeo, "2")
    network.advance(5)
    assert sorted(host.texts) == ["1", "2"]


def test_the_pauses_grow(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["RCPT"] = ["451 4.7.1 greylisted"] * 5
    write(network, romeo)
    for attempts, pause_s in enumerate((5, 10, 20, 40, 80), 1):
        assert sum(command.startswith("RCPT") for command in host.commands) == attempts
        network.advance(pause_s - 0.1)
        assert sum(command.startswith("RCPT") for command in host.commands) == attempts
        network.advance(0.2)
    assert host.texts == ["Help me."]


def test_a_host_that_is_down_gets_all_when_it_is_back(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    network.to_host.factory = None
    for n in range(20):
        write(network, romeo, str(n))
    attempts = network.to_host.attempts
    assert attempts == 1
    network.advance(100)
    assert network.to_host.attempts <= attempts + 5
    network.to_host.factory = host
    network.advance(100)
    assert sorted(host.texts, key=int) == [str(n) for n in range(20)]
    assert not errors(romeo)


def test_what_is_too_old_comes_back(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    network.to_host.factory = None
    write(network, romeo, "1")
    network.advance(3 * 3_600)
    write(network, romeo, "2")
    for _ in range(8):
        network.advance(450)
    [(id, condition, text)] = errors(romeo)
    assert (id, condition) == ("1", "remote-server-timeout")
    assert "mx.abbey.example: cannot connect" in text
    network.to_host.factory = host
    network.advance(900)
    assert host.texts == ["2"]
    assert at_once(network.spool.load()) == []


def test_greylisting_that_never_ends(network: MailNetwork, host: ScriptedHost, romeo: Client) -> None:
    host.replies["RCPT"] = ["451 4.7.1 greylisted"] * 100
    write(network, romeo)
    for _ in range(20):
        network.advance(900)
    assert errors(romeo) == [
        ("Help me.", "remote-server-timeout", "the mail was not taken in time: 451 4.7.1 greylisted")
    ]  # fmt: skip


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
