"""`xmpplab inbox`: the messages that others sent to an account, for scripts."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName, Password
from cluster.cli.completion import accounts
from cluster.cli.output import Format, print_json
from cluster.lab.api import Lab
from cluster.trace.terminal import safe_indented, safe_line


def inbox(
    who: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Account, such as juliet.", autocompletion=accounts)],
    tail: Annotated[int, typer.Option(min=1, metavar="N", help="Show only the newest N messages.")] = 50,
    format: Format = "text",
    password: Password = None,
    lab: LabName = None,
) -> None:
    """Show the messages to an account, from its archive (XEP-0313).

    Messages that wait for the account's clients still wait, and nobody sees that it logged in.
    """
    messages = Lab.named(lab).account(who, password).inbox(tail)
    if format == "json":
        print_json(messages)
        return
    for message in messages:
        text = "\n".join(part for part in (message.subject, message.body) if part)
        line = f"{message.at_utc}  {message.from_}"
        print(f"{safe_line(line)}: {safe_indented(text, '    ')}")
    if not messages:
        print("no messages")
