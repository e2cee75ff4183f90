"""The mail gateway and the lab's mail host against senders that are not ours: Python's smtplib and swaks.

The XMPP side is a list of stanzas here; test_gateways.py has the whole way.
"""

from __future__ import annotations

import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint

from cluster.networks.mailhost.configuration import MailboxSettings, MailHostSettings
from cluster.networks.mailhost.mailhost import LabMailHost
from cluster.protocols.smtp.relay import Relay
from cluster.protocols.smtp.settings import RelaySettings
from tests.harness import ReactorThread
from tests.helpers import ids, memory_tracer
from tests.live.mail_gateway import FRIAR, MAIL, START_UTC_S, Gateway, letter, text_of

pytestmark = pytest.mark.live
SWAKS = shutil.which("swaks")
needs_swaks = pytest.mark.skipif(SWAKS is None, reason="needs swaks: apt-get install swaks")


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
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


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
    assert "<** 550 5.7.1 mail for x@far.example is not accepted: relaying denied" in done.stdout
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
        reactor, settings, {"montague.lit": relay, MAIL: relay}, tmp_path, memory_tracer("fn2", reactor),
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
