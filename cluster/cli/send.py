"""`xmpplab send`: a message from one account, for scripts."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName, Password
from cluster.cli.completion import accounts, addresses
from cluster.lab.api import Lab, LabError


def send(
    from_: Annotated[str, typer.Argument(metavar="FROM", help="Such as romeo.", autocompletion=accounts)],
    to: Annotated[str, typer.Argument(metavar="TO", help="A name or any address.", autocompletion=addresses)],
    body: Annotated[str, typer.Argument(metavar="BODY", help="The text; `-` reads standard input.")],
    password: Password = None,
    lab: LabName = None,
) -> None:
    """Send a message, and wait until it was taken in; exit code 1 where it comes back.

    Nobody sees the account come online, and messages that wait for it go on waiting.
    """
    import sys

    text = sys.stdin.read().rstrip("\n") if body == "-" else body
    sent = Lab.named(lab).send(from_, to, text, password)
    if sent.came_back:
        raise LabError(f"the message to {sent.to} came back: {sent.came_back}")
    later = "" if sent.is_taken else f"; {sent.domain} has not answered yet, so the message may still wait on its way"
    print(f"sent{later}")
