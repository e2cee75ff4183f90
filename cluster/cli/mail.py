"""`xmpplab mail`: a mailbox of the lab's mail host, in the terminal."""

from __future__ import annotations

from datetime import datetime
from textwrap import indent
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import mailboxes
from cluster.cli.output import print_json
from cluster.lab.api import BadInput, Lab
from cluster.trace.terminal import safe, safe_line

if TYPE_CHECKING:
    from cluster.lab.answers import MailView


def mail(
    mailbox: Annotated[
        str,
        typer.Argument(help="The mailbox, such as friar@abbey.example, or its name: fc6.", autocompletion=mailboxes),
    ],
    action: Annotated[Literal["inbox", "send", "reply"], typer.Argument(help="What to do.")] = "inbox",
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TO SUBJECT TEXT | [NUMBER] TEXT]",
            help="To send: an address, a subject, a text. To reply: the mail's number in the inbox (else the newest) "
            "and a text.",
        ),
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option("--format", help="Of the inbox.")] = "text",
    lab: LabName = None,
) -> None:
    """Read, send and answer mail as somebody of the lab's mail network."""
    own = Lab.named(lab).mailbox(mailbox)
    match action, words or []:
        case "inbox", []:
            _print(own.inbox(), format)
        case "send", [to, subject, text]:
            own.send(to, subject, text)
        case "reply", [text]:
            own.reply(text)
        case "reply", [number, text]:
            own.reply(text, number)
        case _:
            raise BadInput(
                f"write it like `xmpplab mail {mailbox} send romeo@montague.lit Vows 'Come at nine'`, "
                f"`xmpplab mail {mailbox} reply 'So be it'` or `xmpplab mail {mailbox} inbox`"
            )


def _print(mails: list[MailView], format: str) -> None:
    if format == "json":
        print_json(mails)
        return
    for number, letter in enumerate(mails, 1):
        at = datetime.fromtimestamp(letter.at_utc_s).astimezone().strftime("%H:%M:%S")
        about = safe_line(f"{letter.from_ or 'an unknown sender'}: {letter.subject}")
        print(f"{number}  {at}  {about}\n{indent(safe(letter.text.rstrip()), '    ')}")
    if not mails:
        print("no mail")
