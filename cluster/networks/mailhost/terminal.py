"""`xmpplab mail`: a mailbox of the lab's mail host, in the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from textwrap import indent
from typing import Any

from cluster.networks.terminal import Ask
from cluster.trace.terminal import safe, safe_json, safe_line


def use(ask: Ask, address: str, action: str | None, words: Sequence[str], format: str) -> None:
    """Do it as this mailbox. Raises ValueError, Refused."""
    match action, words:
        case "inbox", []:
            _print(ask("inbox", {"mailbox": address}), format)
        case "send", [to, subject, text]:
            ask("send", {"sender": address, "to": to, "subject": subject, "text": text})
        case "reply", [text]:
            _reply(ask, address, "", text)
        case "reply", [number, text]:
            _reply(ask, address, number, text)
        case _:
            raise ValueError(
                f"write it like `xmpplab mail {address} send romeo@montague.lit Vows 'Come at nine'`, "
                f"`xmpplab mail {address} reply 'So be it'` or `xmpplab mail {address} inbox`"
            )


def _reply(ask: Ask, address: str, number: str, text: str) -> None:
    mails = ask("inbox", {"mailbox": address})
    if number and not (number.isascii() and number.isdigit() and 1 <= int(number) <= len(mails)):
        raise ValueError(f"there is no mail {number}; the inbox has {len(mails)}")
    if not mails:
        raise ValueError(f"there is nothing to reply to: no mail for {address} has come")
    answered = mails[int(number) - 1 if number else -1]
    ask("reply", {"mailbox": address, "message_id": answered["message_id"], "text": text})


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
