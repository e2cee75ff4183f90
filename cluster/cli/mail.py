"""`xmpplab mail`: a mailbox of the lab's mail host, in the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

import typer

from cluster.cli.common import LabName, chosen
from cluster.lab.errors import BadInput

Ask = Callable[[str, dict[str, Any]], Any]
"""Asks the mail host: a verb and its arguments."""


def mail(
    mailbox: Annotated[str, typer.Argument(help="The mailbox, such as friar@abbey.example, or its name: fc2.")],
    action: Annotated[Literal["inbox", "send"], typer.Argument(help="What to do.")] = "inbox",
    to: Annotated[str, typer.Argument(help="To send: a mail address, such as romeo@montague.lit.")] = "",
    subject: Annotated[str, typer.Argument(help="To send: its subject.")] = "",
    text: Annotated[str, typer.Argument(help="To send: what it says.")] = "",
    format: Annotated[Literal["text", "json"], typer.Option("--format", help="Of the inbox.")] = "text",
    lab: LabName = None,
) -> None:
    """Read and send mail as somebody of the lab's mail network."""
    ask, address = _find(lab, mailbox)
    if action == "inbox":
        mails = ask("inbox", {"mailbox": address})
        print(json.dumps(mails, indent=2, ensure_ascii=False) if format == "json" else "\n".join(map(_shown, mails)))
    elif to and text:
        ask("send", {"sender": address, "to": to, "subject": subject, "text": text})
    else:
        raise BadInput(f"what is sent, and to whom? xmpplab mail {mailbox} send romeo@montague.lit Vows 'Come at nine'")


def _find(lab: str | None, wanted: str) -> tuple[Ask, str]:
    """The mail host that the mailbox belongs to, and its address. Raises BadInput."""
    from cluster.lab.ask import ask

    folder = chosen(lab)
    plan = folder.plan()
    known: list[str] = []
    for network in plan.networks:
        for name, address in network.mailboxes.items():
            if wanted in (name, address):
                return partial(ask, folder, plan, network), address
            known.append(f"{address} ({name})")
    raise BadInput(f"there is no mailbox {wanted} in this lab; there is: {', '.join(known) or 'none'}")


def _shown(letter: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(letter["at_utc_s"]).astimezone().strftime("%H:%M:%S")
    return f"{at}  {letter['from']}: {letter['subject']}\n          {letter['text']}"
