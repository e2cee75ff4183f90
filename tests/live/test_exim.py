"""The mail gateway and Debian's exim: as the foreign host, as a smart host, and as a sender."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from twisted.internet.ssl import Certificate, optionsForClientTLS

from cluster.gateways.delivery_receipts import RECEIPTS
from cluster.lab.provision import ca
from cluster.protocols.smtp.settings import RelaySettings
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from tests.live.exim import Exim, missing
from tests.live.mail_gateway import FRIAR, MAIL, ROMEO, Gateway, letter, text_of

pytestmark = pytest.mark.live
needs_exim = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture
def exim(gateway: Gateway) -> Iterator[Exim]:
    """The foreign host, which the gateway sends to."""
    with Exim(gateway.port) as exim:
        gateway.restart(exim.port)
        yield exim


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
    authority, issued = ca.issue(datetime.now(UTC), "mail", {"mx": (["mx.abbey.example"], "127.0.0.1")})
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
    assert "550 5.1.1 no mailbox nobody@mail.montague.lit" in report.as_string()
    assert not gateway.sent
