"""`xmpplab mail`: a mailbox of the lab's mail host, in the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from textwrap import indent
from typing import Annotated, Any, Literal

import typer

from cluster.cli.common import LabName, chosen
from cluster.cli.completion import mailboxes
from cluster.lab.errors import BadInput
from cluster.trace.terminal import safe, safe_json, safe_line

Ask = Callable[[str, dict[str, Any]], Any]
"""Asks the mail host: a verb and its arguments."""


def mail(
    mailbox: Annotated[
        str,
        typer.Argument(help="Mailbox, such as friar@abbey.example, or its name: fc6.", autocompletion=mailboxes),
    ],
    action: Annotated[Literal["inbox", "send", "reply"], typer.Argument(help="Action; without it: inbox.")] = "inbox",
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TO SUBJECT TEXT | [NUMBER] TEXT]",
            help="For `send`: an address, a subject, a text. For `reply`: the number of the mail in the inbox "
            "(default: the newest) and a text.",
        ),
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option("--format", help="Format of the inbox.")] = "text",
    lab: LabName = None,
) -> None:
    """Read, send and answer mail as a mailbox of the lab."""
    ask, address = _find(lab, mailbox)
    match action, words or []:
        case "inbox", []:
            _print(ask("inbox", {"mailbox": address}), format)
        case "send", [to, subject, text]:
            ask("send", {"sender": address, "to": to, "subject": subject, "text": text})
        case "reply", [text]:
            _reply(ask, address, "", text)
        case "reply", [number, text]:
            _reply(ask, address, number, text)
        case _:
            raise BadInput(
                f"write it like `xmpplab mail {mailbox} send romeo@montague.lit Vows 'Come at nine'`, "
                f"`xmpplab mail {mailbox} reply 'So be it'` or `xmpplab mail {mailbox} inbox`"
            )


def _reply(ask: Ask, address: str, number: str, text: str) -> None:
    mails = ask("inbox", {"mailbox": address})
    if number and not (number.isascii() and number.isdigit() and 1 <= int(number) <= len(mails)):
        raise BadInput(f"no mail {number}; the inbox has {len(mails)}")
    if not mails:
        raise BadInput(f"nothing to reply to: {address} has received no mail")
    answered = mails[int(number) - 1 if number else -1]
    ask("reply", {"mailbox": address, "message_id": answered["message_id"], "text": text})


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
    raise BadInput(f"no mailbox {wanted} in this lab (mailboxes: {', '.join(known) or 'none'})")


def _print(mails: list[dict[str, Any]], format: str) -> None:
    if format == "json":
        print(safe_json(json.dumps(mails, indent=2, ensure_ascii=False)))
        return
    for number, letter in enumerate(mails, 1):
        at = datetime.fromtimestamp(letter["at_utc_s"]).astimezone().strftime("%H:%M:%S")
        about = safe_line(f"{letter['from'] or 'an unknown sender'}: {letter['subject']}")
        print(f"{number}  {at}  {about}\n{indent(safe(letter['text'].rstrip()), '    ')}")
    if not mails:
        print("no mail")
