"""Phones and mailboxes of a lab, whose network is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.lab import networks
from cluster.lab.answers import MailView
from cluster.lab.control.requests import MailReply
from cluster.lab.errors import BadInput
from cluster.lab.folder import LabFolder
from cluster.lab.networks import Mailbox, Phone
from cluster.topology.plan import NetworkNode
from tests.unit.lab.plan import make_plan

FOLDER = LabFolder(Path("/lab"))
PLAN = make_plan(Path("/lab"))
MAILS = [MailView(1.0, "romeo@montague.lit", "", "", f"<{number}@x>", "") for number in (1, 2)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the network was asked; the inboxes have MAILS."""
    requests: list[Any] = []

    def ask(folder: object, plan: object, network: object, request: Any) -> Any:
        requests.append(request)
        return MAILS

    monkeypatch.setattr(networks, "ask", ask)
    return requests


def mailbox() -> Mailbox:
    return Mailbox(FOLDER, PLAN, NetworkNode("fn2", "mailhost", "127.0.0.1", 25), "friar@abbey.example")


def test_there_is_nobody_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "ask", lambda *_: [])
    phone = Phone(FOLDER, PLAN, NetworkNode("fn1", "smsc", "127.0.0.1", 2775), "+393331234567")
    with pytest.raises(BadInput, match="nobody has written to this phone"):
        phone.reply("Ay me")
    with pytest.raises(BadInput, match="there is nothing to reply to"):
        mailbox().reply("So be it")


@pytest.mark.parametrize(("number", "answered"), [("", "<2@x>"), ("1", "<1@x>")])
def test_the_mail_that_is_answered(asked: list[Any], number: str, answered: str) -> None:
    mailbox().reply("So be it", number)
    assert asked[-1] == MailReply("friar@abbey.example", answered, "So be it")


@pytest.mark.parametrize("number", ["0", "3", "x", "-1"])
def test_a_mail_that_there_is_not(asked: list[Any], number: str) -> None:
    with pytest.raises(BadInput, match=f"there is no mail {number}; the inbox has 2"):
        mailbox().reply("So be it", number)
