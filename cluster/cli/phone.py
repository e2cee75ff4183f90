"""`xmpplab phone`: a phone of the lab's SMS network, in the terminal."""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

import typer

from cluster.cli.common import LabName, chosen
from cluster.cli.interrupt import interruptible
from cluster.lab.errors import BadInput

Ask = Callable[[str, dict[str, Any]], Any]
"""Asks the message centre: a verb and its arguments."""

LOOK_EVERY_S = 0.3


def phone(
    number: Annotated[str, typer.Argument(help="The phone, such as +393331234567, or its name: fc1.")],
    action: Annotated[Literal["inbox", "send"] | None, typer.Argument(help="Without: use it interactively.")] = None,
    to: Annotated[str, typer.Argument(help="To send: a number, an address, or a local name such as romeo.")] = "",
    text: Annotated[str, typer.Argument(help="To send: what it says.")] = "",
    format: Annotated[Literal["text", "json"], typer.Option("--format", help="Of the inbox.")] = "text",
    lab: LabName = None,
) -> None:
    """Read and send texts as a phone of the lab; interactively, unless told to do one thing."""
    ask, own = _find(lab, number)
    if action == "inbox":
        texts = ask("phone_inbox", {"number": own})
        print(json.dumps(texts, indent=2, ensure_ascii=False) if format == "json" else "\n".join(map(_line, texts)))
    elif action == "send":
        if not (to and text):
            raise BadInput(f"what is sent, and to whom? xmpplab phone {number} send romeo 'But, soft!'")
        ask("phone_send", {"number": own, "to": to, "text": text})
    else:
        _use(ask, own)


def _find(lab: str | None, wanted: str) -> tuple[Ask, str]:
    """The message centre that the phone belongs to, and the phone's number. Raises BadInput."""
    from cluster.lab.ask import ask

    folder = chosen(lab)
    plan = folder.plan()
    known: list[str] = []
    for network in plan.networks:
        for name, number in network.phones.items():
            if wanted in (name, number):
                return partial(ask, folder, plan, network), number
            known.append(f"{number} ({name})")
    raise BadInput(f"there is no phone {wanted} in this lab; there is: {', '.join(known) or 'none'}")


def _use(ask: Ask, number: str) -> None:
    print(f"this is {number}; write `WHOM TEXT` and press Enter, such as `romeo But, soft!`; Ctrl-C switches off")
    seen = 0
    with interruptible():
        try:
            while True:
                for text in ask("phone_inbox", {"number": number, "after": seen}):
                    seen += 1
                    print(_line(text), flush=True)
                readable, _, _ = select.select([sys.stdin], [], [], LOOK_EVERY_S)
                if readable and not _send_line(ask, number, sys.stdin.readline()):
                    return
        except KeyboardInterrupt:
            print()


def _send_line(ask: Ask, number: str, line: str) -> bool:
    """False at the end of the input."""
    from cluster.lab.errors import LabError

    to, _, text = line.strip().partition(" ")
    if text:
        try:
            ask("phone_send", {"number": number, "to": to, "text": text})
        except LabError as error:
            print(f"not sent: {error}")
    elif to:
        print("write `WHOM TEXT`, such as `romeo But, soft!`")
    return bool(line)


def _line(text: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(text["at_utc_s"]).astimezone().strftime("%H:%M:%S")
    return f"{at}  {text['from']}: {text['text']}"
