"""`xmpplab mail`: a mailbox of the lab's mail host, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from textwrap import indent

from cluster.networks.mailhost.person import Mailbox
from cluster.networks.mailhost.requests import MailView
from cluster.trace.terminal import safe, safe_line


def use(mailbox: Mailbox, action: str | None, words: Sequence[str]) -> None:
    """Execute the command as this mailbox. Raises ValueError, Refused."""
    match action, words:
        case "inbox", []:
            _print(mailbox.inbox())
        case "send", [to, subject, text]:
            mailbox.send(to, subject, text)
        case "reply", [text]:
            mailbox.reply(text)
        case "reply", [number, text]:
            mailbox.reply(text, number)
        case _:
            address = mailbox.address
            raise ValueError(
                f"write it like `xmpplab mail {address} send romeo@montague.lit Vows 'Come at nine'`, "
                f"`xmpplab mail {address} reply 'So be it'` or `xmpplab mail {address} inbox`"
            )


def _print(mails: Sequence[MailView]) -> None:
    for number, letter in enumerate(mails, 1):
        at = datetime.fromtimestamp(letter.at_utc_s).astimezone().strftime("%H:%M:%S")
        about = safe_line(f"{letter.from_ or 'an unknown sender'}: {letter.subject}")
        print(f"{number}  {at}  {about}\n{indent(safe(letter.text.rstrip()), '    ')}")
    if not mails:
        print("no mail")
