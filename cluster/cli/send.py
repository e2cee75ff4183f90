"""`xmpplab send`: a message from one account, for scripts."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.cli.common import LabName, Password, account, chosen, known_password
from cluster.cli.completion import accounts, addresses
from cluster.lab.errors import BadInput, LabError


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
    from cluster.lab.sending import send_message

    folder = chosen(lab)
    plan = folder.plan()
    sender, receiver = account(folder, plan, from_).bare, account(folder, plan, to)
    password = known_password(plan, sender, password)
    text = _text(body)
    match send_message(folder, plan, sender, password, receiver, text):
        case None:
            print(f"sent; {receiver.domainpart} has not answered yet, so the message may still be waiting")
        case "":
            print("sent")
        case why:
            raise LabError(f"the message to {receiver} was returned: {why}")


def _text(body: str) -> str:
    """Raises BadInput for what cannot be sent."""
    import sys

    from cluster.xmpp.element import check_text

    text = sys.stdin.read().rstrip("\n") if body == "-" else body
    if not text:
        raise BadInput("empty message; give a text")
    try:
        check_text(text)
    except ValueError as error:
        raise BadInput(str(error)) from None
    return text
