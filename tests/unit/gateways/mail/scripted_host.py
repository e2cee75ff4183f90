"""A mail host that replies as a test tells it to, in place of the lab's, and what is written to it."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.stanza import Stanza, error_of
from tests.client import Client
from tests.network import watched_log
from tests.unit.gateways.mail.world import FRIAR_JID, MailNetwork

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
            self.transport.loseConnection()
            return
        if reply == "silence":
            return
        if reply.startswith("354"):
            self._mail = []
        self.sendLine(reply.encode())
        if reply.startswith(("221", "421")):
            self.transport.loseConnection()


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


def watched(folder: Path) -> Iterator[MailNetwork]:
    """A network, as a fixture has it; a failure that a server logs fails the test."""
    with watched_log() as failures:
        yield MailNetwork(folder)
    assert not failures


def scripted(network: MailNetwork) -> ScriptedHost:
    """In place of the lab's mail host."""
    network.to_host.factory = host = ScriptedHost()
    return host


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
