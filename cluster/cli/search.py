"""`xmpplab search`: messages with a text, in the archives of the accounts."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cluster.cli.common import LabName, Password
from cluster.cli.completion import accounts
from cluster.cli.output import Format, print_json
from cluster.lab.api import Lab
from cluster.trace.terminal import safe_indented, safe_line


def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A part of a message, or of an address.")],
    of: Annotated[str, typer.Option(metavar="ACCOUNT", help="Only in this archive.", autocompletion=accounts)] = "",
    tail: Annotated[int, typer.Option(min=1, metavar="N", help="Show only the newest N messages.")] = 50,
    format: Format = "text",
    password: Password = None,
    lab: LabName = None,
) -> None:
    """Find messages by their text, in the archives of the accounts.

    Archives (XEP-0313) are read as their accounts: those whose passwords the topology gives.
    """
    result = Lab.named(lab).search(text, of, tail, password)
    if format == "json":
        print_json(result)
        return
    for account, message in ((each.account, each.message) for each in result.found):
        said = "\n".join(part for part in (message.subject, message.body) if part)
        line = f"{message.at_utc}  {account}: {message.from_} to {message.to or account}"
        print(f"{safe_line(line)}: {safe_indented(said, '    ')}")
    if not result.found:
        print("no messages")
    if result.left_out:
        print(safe_line(f"xmpplab: not searched: {', '.join(result.left_out)}"), file=sys.stderr)
