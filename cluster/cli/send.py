"""`xmpplab send`: a message from one account, for scripts."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName, Password
from cluster.cli.completion import accounts, addresses
from cluster.lab.api import Lab, LabError


def send(
    from_: Annotated[str, typer.Argument(metavar="FROM", help="Account, such as romeo.", autocompletion=accounts)],
    to: Annotated[
        str, typer.Argument(metavar="TO", help="Name or address of the recipient.", autocompletion=addresses)
    ],
    body: Annotated[str, typer.Argument(metavar="BODY", help="Text of the message; `-`: read standard input.")],
    password: Password = None,
    lab: LabName = None,
) -> None:
    """Send a message, and wait until it is accepted. Exit code 1 if it is returned.

    The account does not appear online, and its offline messages stay where they are.
    """
    import sys

    text = sys.stdin.read().rstrip("\n") if body == "-" else body
    sent = Lab.named(lab).account(from_, password).send(to, text)
    if sent.came_back:
        raise LabError(f"the message to {sent.to} was returned: {sent.came_back}")
    later = "" if sent.is_taken else f"; {sent.domain} has not answered yet, so the message may still be waiting"
    print(f"sent{later}")
