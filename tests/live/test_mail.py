"""The mail gateway and the lab's mail host against programs that are not ours.

As a foreign host: exim. As senders: Python's smtplib and swaks. The XMPP side is a list of stanzas here;
test_gateways.py has the whole way.
"""

from __future__ import annotations

import shutil
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.ssl import Certificate, optionsForClientTLS

from cluster.gateways.delivery_receipts import RECEIPTS
from cluster.gateways.mail.configuration import MailSettings, RelaySettings
from cluster.gateways.mail.memory import MemoryLedger, MemorySpool
from cluster.gateways.mail.relay import Relay
from cluster.gateways.mail.service import MailService
from cluster.gateways.mailhost.configuration import MailboxSettings, MailHostSettings
from cluster.gateways.mailhost.mailhost import LabMailHost
from cluster.lab import ca
from cluster.trace.memory import MemoryJournal
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, error_of, make
from tests.harness import ReactorThread, until
from tests.helpers import ids
from tests.live.exim import Exim, missing

pytestmark = pytest.mark.live
needs_exim = pytest.mark.skipif(bool(missing()), reason=missing())
SWAKS = shutil.which("swaks")
needs_swaks = pytest.mark.skipif(SWAKS is None, reason="needs swaks: apt-get install swaks")

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
            lambda stanza: self.sent.append(stanza), MemoryJournal(),
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


@pytest.fixture
def gateway(reactor_thread: ReactorThread) -> Iterator[Gateway]:
    gateway = Gateway(reactor_thread)
    yield gateway
    gateway.close()


@pytest.fixture
def exim(gateway: Gateway) -> Iterator[Exim]:
    """The foreign host, which the gateway sends to."""
    with Exim(gateway.port) as exim:
        gateway.restart(exim.port)
        yield exim


def text_of(stanza: Stanza, name: str = "body") -> str | None:
    return stanza.tree.findtext(f"{{{CLIENT}}}{name}")


def letter(text: str = "Wisely and slow.\n", to: str = "romeo@montague.lit", subject: str = "Rat") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = FRIAR, to, subject, "<m1@abbey.example>"
    mail.set_content(text)
    return mail


# --- exim as the foreign host


@needs_exim
def test_a_message_arrives_in_a_mailbox_of_exim(gateway: Gateway, exim: Exim) -> None:
    text = "Grüße ✓ 🌹\n.\n..\nFrom me\nBcc: evil@x.y\n" + "lang " * 400
    gateway.write(FRIAR, text, "Wírst du?\nBcc: evil@x.y")
    gateway.until(exim.mails)
    [mail] = exim.mails()
    assert mail.get_content().strip() == text.strip()
    assert mail["Subject"] == "Wírst du? Bcc: evil@x.y"
    assert (mail["From"].addresses[0].addr_spec, mail["Reply-To"]) == ("romeo@montague.lit", "romeo@montague.lit")
    assert mail["Return-path"] == f"<bounce+g2id1@{MAIL}>"
    assert not mail.defects
    assert not gateway.sent


@needs_exim
def test_exim_knows_no_such_address(gateway: Gateway, exim: Exim) -> None:
    gateway.write("nobody@abbey.example", "hi", id="7")
    id, error = gateway.error()
    assert (id, error.condition) == ("7", Condition.ITEM_NOT_FOUND)
    assert error.text == "550 5.1.1 there is no such monk"
    assert "5.1.1 there is no such monk" in exim.log()


@needs_exim
def test_exim_is_no_relay_for_us(gateway: Gateway, exim: Exim) -> None:
    gateway.write("x@far.example", "hi")
    _, error = gateway.error()
    assert (error.condition, error.text) == (Condition.NOT_ACCEPTABLE, "550 5.7.1 relaying denied")


@needs_exim
def test_exim_bounces_later(gateway: Gateway, exim: Exim) -> None:
    gateway.write("monk@late.example", "hi", id="8")
    id, error = gateway.error()
    assert id == "8"
    assert error.condition is Condition.NOT_ACCEPTABLE
    assert error.text.startswith("5.0.0")
    assert "<= <> R=" in exim.log()


@needs_exim
def test_exim_reports_a_delivery(gateway: Gateway, exim: Exim) -> None:
    """It is asked to by RFC 3461, and its report (RFC 3464) becomes a receipt."""
    gateway.write(FRIAR, "hi", id="9", receipt=True)
    gateway.until(lambda: gateway.sent)
    [stanza] = gateway.sent
    assert (stanza.to, stanza.from_) == (ROMEO, Jid.parse(rf"friar\40abbey.example@{MAIL}"))
    assert [child.get("id") for child in stanza.tree.findall(f"{{{RECEIPTS}}}received")] == ["9"]
    assert len(exim.mails()) == 1


@needs_exim
def test_greylisting_by_exim(gateway: Gateway, exim: Exim) -> None:
    gateway.write("grey@abbey.example", "patience")
    gateway.until(lambda: "greylisted" in exim.log())
    assert gateway.service.queue.waiting == 1
    exim.ripen()
    gateway.restart(exim.port)
    gateway.until(exim.mails)
    gateway.until(lambda: gateway.service.queue.waiting == 0)
    assert len(exim.mails()) == 1
    assert not gateway.sent


@needs_exim
def test_exim_is_down_for_an_hour(gateway: Gateway) -> None:
    gateway.write(FRIAR, "hi")
    with Exim(gateway.port) as exim:
        gateway.restart(exim.port)
        gateway.until(exim.mails)
    assert not gateway.sent


@needs_exim
def test_many_messages_at_once(gateway: Gateway, exim: Exim) -> None:
    for n in range(20):
        gateway.write(FRIAR, str(n))
    gateway.until(lambda: len(exim.mails()) == 20)
    assert sorted(int(mail.get_content()) for mail in exim.mails()) == [*range(20)]


# --- STARTTLS and AUTH


SMART = RelaySettings("mx.abbey.example", "gateway", "hush", starttls=True)


@pytest.fixture(scope="module")
def issued() -> tuple[Any, ca.Issued]:
    """A CA, and exim's certificate."""
    authority, issued = ca.issue(datetime.now(UTC), "mail", {"mx": ("mx.abbey.example", "127.0.0.1")})
    return Certificate.loadPEM(authority), issued["mx"]


@pytest.fixture
def smart_host(gateway: Gateway, issued: tuple[Any, ca.Issued]) -> Iterator[Exim]:
    with Exim(gateway.port, issued[1].certificate, issued[1].key) as exim:
        yield exim


@needs_exim
def test_a_smart_host_with_starttls_and_a_password(
    gateway: Gateway, smart_host: Exim, issued: tuple[Any, ca.Issued]
) -> None:
    gateway.restart(smart_host.port, SMART, optionsForClientTLS("mx.abbey.example", trustRoot=issued[0]))
    gateway.write("x@far.example", "hi")
    gateway.until(smart_host.mails)
    log = smart_host.log()
    assert "X=TLS1" in log
    assert "A=plain:gateway" in log


@needs_exim
@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (RelaySettings("mx.abbey.example", "gateway", "wrong", starttls=True), "mx.abbey.example"),
        (SMART, "mx.other.example"),
    ],
    ids=["wrong password", "certificate of another host"],
)
def test_a_smart_host_that_does_not_let_us_in(
    gateway: Gateway, smart_host: Exim, issued: tuple[Any, ca.Issued], settings: RelaySettings, name: str
) -> None:
    gateway.restart(smart_host.port, settings, optionsForClientTLS(name, trustRoot=issued[0]))
    gateway.write(FRIAR, "hi")
    gateway.until(lambda: "authenticator failed" in smart_host.log() or "TLS error" in smart_host.log())
    assert gateway.service.queue.waiting == 1
    assert not smart_host.mails()
    gateway.restart(smart_host.port, SMART, optionsForClientTLS("mx.abbey.example", trustRoot=issued[0]))
    gateway.until(smart_host.mails)
    assert not gateway.sent


@needs_exim
def test_a_host_without_starttls_gets_nothing(gateway: Gateway, exim: Exim, issued: tuple[Any, ca.Issued]) -> None:
    gateway.restart(exim.port, SMART, optionsForClientTLS("mx.abbey.example", trustRoot=issued[0]))
    gateway.write(FRIAR, "hi")
    gateway.until(lambda: "no MAIL in SMTP connection" in exim.log())
    assert not exim.mails()
    gateway.restart(exim.port)
    gateway.until(exim.mails)
    assert "A=plain" not in exim.log()


def test_no_password_in_the_clear() -> None:
    with pytest.raises(ValueError, match="set starttls"):
        RelaySettings("mx.abbey.example", "gateway", "hush")


# --- mail from exim


@needs_exim
def test_exim_brings_a_mail(gateway: Gateway, exim: Exim) -> None:
    mail = letter("Weise und langsam; die laufen, straucheln. Größe ✓\n")
    mail.add_attachment(b"x" * 10_000, "application", "pdf", filename="Plän.pdf")
    with smtplib.SMTP("127.0.0.1", exim.port) as smtp:
        smtp.send_message(mail)
    gateway.until(lambda: gateway.sent)
    [message] = gateway.sent
    assert (str(message.from_), str(message.to)) == (rf"friar\40abbey.example@{MAIL}", "romeo@montague.lit")
    assert text_of(message, "subject") == "Rat"
    assert text_of(message) == (
        "Weise und langsam; die laufen, straucheln. Größe ✓\n\n[attachment: Plän.pdf, application/pdf, 10000 bytes]"
    )


@needs_exim
def test_exim_gets_our_report(gateway: Gateway, exim: Exim) -> None:
    with smtplib.SMTP("127.0.0.1", exim.port) as smtp:
        smtp.send_message(letter(to="rosaline@montague.lit"))
    gateway.until(lambda: gateway.sent)
    gateway.answer(gateway.sent[0], StanzaError(Condition.SERVICE_UNAVAILABLE, "nobody of that name"))
    gateway.until(exim.mails)
    [report] = exim.mails()
    assert report.get_content_type() == "multipart/report"
    assert report["Return-path"] == "<>"
    assert report["Subject"] == "Undelivered: your mail to rosaline@montague.lit"


@needs_exim
def test_exim_hears_that_we_are_no_relay(gateway: Gateway, exim: Exim) -> None:
    with smtplib.SMTP("127.0.0.1", exim.port) as smtp:
        smtp.sendmail(FRIAR, "nobody@mail.montague.lit", "Subject: x\n\nhi")
    gateway.until(exim.mails)
    [report] = exim.mails()
    assert "550 5.1.1 nobody@mail.montague.lit is nobody's address" in report.as_string()
    assert not gateway.sent


# --- Python's smtplib


@pytest.fixture
def smtp(gateway: Gateway) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", gateway.port) as smtp:
        yield smtp


def test_smtplib_brings_mails(gateway: Gateway, smtp: smtplib.SMTP) -> None:
    for n in range(10):
        smtp.send_message(letter(f"{n}\n.\n..\nGrüße\n"))
    assert [text_of(message) for message in gateway.sent] == [f"{n}\n.\n..\nGrüße" for n in range(10)]


def test_smtplib_with_addresses_beyond_ascii(gateway: Gateway, smtp: smtplib.SMTP) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "frïar@abbey.example", "roméo@montague.lit", "Grüße"
    mail.set_content("hi")
    smtp.send_message(mail)
    [message] = gateway.sent
    assert (str(message.from_), str(message.to)) == (rf"frïar\40abbey.example@{MAIL}", "roméo@montague.lit")


def test_smtplib_is_refused(gateway: Gateway, smtp: smtplib.SMTP) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        smtp.sendmail(FRIAR, ["x@far.example"], "hi")
    assert refused.value.recipients["x@far.example"][0] == 550
    with pytest.raises(smtplib.SMTPSenderRefused) as too_big:
        smtp.sendmail(FRIAR, ["romeo@montague.lit"], "x" * 80 + "\n" * 100_000)
    assert too_big.value.smtp_code == 552
    with pytest.raises(smtplib.SMTPNotSupportedError):
        smtp.login("romeo", "secret")
    with pytest.raises(smtplib.SMTPNotSupportedError):
        smtp.starttls()
    assert smtp.noop()[0] == 250
    assert smtp.verify("romeo")[0] == 252
    assert smtp.sendmail(FRIAR, ["romeo@montague.lit", "x@far.example"], "hi").keys() == {"x@far.example"}
    assert len(gateway.sent) == 1


def test_smtplib_brings_what_it_likes(gateway: Gateway, smtp: smtplib.SMTP) -> None:
    for data in (b"", b"\0\xff\r\n\x1b", b"Content-Type: text/plain; charset=nonsense\r\n\r\n\xfc", b"x" * 8_000):
        smtp.sendmail(FRIAR, ["romeo@montague.lit"], data)
    assert len(gateway.sent) == 4


# --- swaks


def swaks(port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert SWAKS is not None
    command = [
        SWAKS,
        "--server",
        "127.0.0.1",
        "--port",
        str(port),
        "--helo",
        "abbey.example",
        "--from",
        FRIAR,
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@needs_swaks
@pytest.mark.parametrize("options", [[], ["--pipeline"], ["--protocol", "SMTP"]], ids=["ESMTP", "pipelined", "SMTP"])
def test_swaks_brings_a_mail(gateway: Gateway, tmp_path: Path, options: list[str]) -> None:
    plan = tmp_path / "plan.txt"
    plan.write_text("first night, then day")
    done = swaks(
        gateway.port, "--to", "romeo@montague.lit", "--header", "Subject: Rat", "--body", "Weise und langsam",
        "--attach-type", "text/plain", "--attach-name", "plan.txt", "--attach", f"@{plan}", *options,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    [message] = gateway.sent
    assert text_of(message, "subject") == "Rat"
    assert text_of(message) == "Weise und langsam\n\n[attachment: plan.txt, text/plain, 21 bytes]"


@needs_swaks
def test_swaks_is_refused(gateway: Gateway) -> None:
    done = swaks(gateway.port, "--to", "x@far.example")
    assert done.returncode == 24  # no recipient was taken
    assert "<** 550 5.7.1 no mail for x@far.example is taken here: this is no relay" in done.stdout
    assert not gateway.sent


# --- the lab's own mail host


@pytest.fixture
def host_port(reactor_thread: ReactorThread, gateway: Gateway, tmp_path: Path) -> Iterator[tuple[int, LabMailHost]]:
    """The lab's mail host, which sends to the gateway."""
    reactor = reactor_thread.reactor
    settings = MailHostSettings("fn2", "mx.abbey.example", (MailboxSettings(FRIAR, "fc2"),))
    relay = Relay(
        reactor, TCP4ClientEndpoint(reactor, "127.0.0.1", gateway.port), RelaySettings(MAIL), "mx.abbey.example"
    )
    host = LabMailHost(
        reactor, settings, {"montague.lit": relay, MAIL: relay}, tmp_path, MemoryJournal(),
        now_utc_s=lambda: START_UTC_S + reactor.seconds(), new_id=ids("fn2id"), jitter=lambda: 0.0,
    )  # fmt: skip
    port = reactor_thread.run(lambda: host.start(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")))
    yield port.getHost().port, host
    reactor_thread.run(host.stop)


def test_there_and_back(gateway: Gateway, host_port: tuple[int, LabMailHost], reactor_thread: ReactorThread) -> None:
    port, host = host_port
    gateway.restart(port)
    gateway.write(FRIAR, "Wilt thou?")
    gateway.until(lambda: gateway.service.queue.waiting == 0)
    [mail] = reactor_thread.run(lambda: host.administration.inbox(FRIAR))
    assert (mail["from"], mail["text"]) == ("romeo@montague.lit", "Wilt thou?")
    reactor_thread.run(lambda: host.administration.reply(FRIAR, mail["message_id"], "I will."))
    gateway.until(lambda: gateway.sent)
    assert text_of(gateway.sent[0]) == "I will."


@needs_swaks
def test_swaks_and_smtplib_bring_mails_to_the_mail_host(
    host_port: tuple[int, LabMailHost], reactor_thread: ReactorThread
) -> None:
    port, host = host_port
    assert swaks(port, "--to", FRIAR, "--body", "one", "--pipeline").returncode == 0
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.send_message(letter("two", FRIAR))
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.sendmail(FRIAR, ["romeo@montague.lit"], "hi")
    assert [mail["text"] for mail in reactor_thread.run(lambda: host.administration.inbox(FRIAR))] == ["one", "two"]
