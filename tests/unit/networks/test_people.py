"""Phones and mailboxes of a lab, whose network is asked."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.networks.mailhost.person import Mailbox
from cluster.networks.mailhost.requests import MailReply, MailView
from cluster.networks.smsc.person import Phone

MAILS = [MailView(1.0, "romeo@montague.lit", "", "", f"<{number}@x>", "") for number in (1, 2)]


class Asked(list[Any]):
    """What the network was asked; each inbox has these."""

    def __init__(self, inbox: list[MailView]) -> None:
        super().__init__()
        self.inbox = inbox

    def ask(self, request: Any) -> Any:
        self.append(request)
        return self.inbox


def mailbox(asked: Asked) -> Mailbox:
    return Mailbox(asked.ask, "friar@abbey.example")


def test_there_is_nobody_to_answer() -> None:
    with pytest.raises(ValueError, match="nothing to reply to: this phone has received no text"):
        Phone(Asked([]).ask, "+393331234567").reply("Ay me")
    with pytest.raises(ValueError, match="nothing to reply to: "):
        mailbox(Asked([])).reply("So be it")


@pytest.mark.parametrize(("number", "answered"), [("", "<2@x>"), ("1", "<1@x>")])
def test_the_mail_that_is_answered(number: str, answered: str) -> None:
    asked = Asked(MAILS)
    mailbox(asked).reply("So be it", number)
    assert asked[-1] == MailReply("friar@abbey.example", answered, "So be it")


@pytest.mark.parametrize("number", ["0", "3", "x", "-1"])
def test_a_mail_that_there_is_not(number: str) -> None:
    with pytest.raises(ValueError, match=f"no mail {number}; the inbox has 2"):
        mailbox(Asked(MAILS)).reply("So be it", number)
