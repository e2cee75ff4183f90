"""The mail gateway on a port of its own, for hosts and senders that are not ours."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint

from cluster.gateways.delivery_receipts import RECEIPTS
from cluster.gateways.mail.configuration import MailSettings
from cluster.gateways.mail.service import MailService
from cluster.protocols.smtp.memory import MemoryLedger, MemorySpool
from cluster.protocols.smtp.relay import Relay
from cluster.protocols.smtp.settings import RelaySettings
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, error_of, make
from tests.harness import ReactorThread, until
from tests.helpers import ids, memory_tracer

MAIL, FRIAR = "mail.montague.lit", "friar@abbey.example"
ROMEO = Jid.parse("romeo@montague.lit/pda")
START_UTC_S = 1_700_000_000.0


class Gateway:
    """The mail gateway on a port of its own; its XMPP server takes everything and says nothing."""

    def __init__(self, thread: ReactorThread) -> None:
        self.sent: list[Stanza] = []
        """What it handed to its XMPP server."""
        self.hours = 0
        """By which its clock is ahead."""
        self._thread = thread
        self._spool, self._ledger = MemorySpool(), MemoryLedger(self._now_utc_s)
        self._new_id = ids("g2id")
        self.service = self._made(1, RelaySettings("nobody"), None)
        port = thread.run(lambda: self.service.start(TCP4ServerEndpoint(thread.reactor, 0, interface="127.0.0.1")))
        self.port: int = port.getHost().port

    def _now_utc_s(self) -> float:
        return START_UTC_S + float(self._thread.reactor.seconds()) + self.hours * 3_600

    def _made(self, relay_port: int, relay: RelaySettings, tls: Any) -> MailService:
        reactor = self._thread.reactor
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", relay_port)
        return MailService(
            reactor, MailSettings("g2", MAIL, ("montague.lit",), max_mail_bytes=100_000),
            Relay(reactor, endpoint, relay, MAIL, tls), self._spool, self._ledger,
            lambda stanza: self.sent.append(stanza), memory_tracer("g2", reactor),
            now_utc_s=self._now_utc_s, new_id=self._new_id, jitter=lambda: 0.0,
        )  # fmt: skip

    def restart(self, relay_port: int, relay: RelaySettings | None = None, tls: Any = None) -> None:
        """End it, and start it again an hour later, on the same port, with what it has kept."""
        reactor = self._thread.reactor
        self._thread.run(self.service.stop)
        self.hours += 1
        self.service = self._made(relay_port, relay or RelaySettings("mx.abbey.example"), tls)
        self._thread.run(lambda: self.service.start(TCP4ServerEndpoint(reactor, self.port, interface="127.0.0.1")))

    def write(self, to: str, text: str, subject: str = "", id: str = "1", receipt: bool = False) -> None:
        """Romeo writes to a mail address, and may want a receipt (XEP-0184)."""
        payload = [Element(f"{{{CLIENT}}}body")]
        payload[0].text = text
        if subject:
            payload.append(Element(f"{{{CLIENT}}}subject"))
            payload[1].text = subject
        if receipt:
            payload.append(Element(f"{{{RECEIPTS}}}request"))
        message = make(
            "message", from_=ROMEO, to=Jid.parse(f"{to.replace('@', chr(92) + '40')}@{MAIL}"), id=id, payload=payload
        )
        self._thread.run(lambda: self.service.gateway.on_message(message))

    def answer(self, stanza: Stanza, error: StanzaError) -> None:
        """The XMPP server refuses what the gateway sent."""
        self._thread.run(lambda: self.service.gateway.on_message(stanza.error(error)))

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for it."""
        self._thread.run(lambda: until(self._thread.reactor, condition))

    def error(self) -> tuple[str | None, StanzaError]:
        """The id and the error of the one stanza that comes."""
        self.until(lambda: self.sent)
        [stanza] = self.sent
        assert (stanza.type, stanza.to) == ("error", ROMEO)
        return stanza.id, error_of(stanza)

    def close(self) -> None:
        self._thread.run(self.service.stop)


def text_of(stanza: Stanza, name: str = "body") -> str | None:
    return stanza.tree.findtext(f"{{{CLIENT}}}{name}")


def letter(text: str = "Wisely and slow.\n", to: str = "romeo@montague.lit", subject: str = "Rat") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = FRIAR, to, subject, "<m1@abbey.example>"
    mail.set_content(text)
    return mail
