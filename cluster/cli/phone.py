"""`xmpplab phone`: a phone of the lab's SMS network, in the terminal."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

import typer

from cluster.cli.common import LabName, chosen
from cluster.cli.completion import phones
from cluster.cli.interrupt import interruptible
from cluster.lab.errors import BadInput
from cluster.trace.terminal import safe, safe_indented, safe_json, safe_line

Ask = Callable[[str, dict[str, Any]], Any]
"""Asks the message centre: a verb and its arguments."""

LOOK_EVERY_S = 0.3
HOW = "`romeo But, soft!` writes to romeo, `> Ay me` answers the newest"


def phone(
    number: Annotated[
        str, typer.Argument(help="Phone, such as +393331234567, or its name: fc1.", autocompletion=phones)
    ],
    action: Annotated[
        Literal["inbox", "send", "reply", "on", "off"] | None, typer.Argument(help="Action; without it: interactive.")
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[[TO] TEXT]",
            help="For `send`: a number, an address or a name such as romeo, and a text. For `reply`: a text.",
        ),
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option("--format", help="Format of the inbox.")] = "text",
    lab: LabName = None,
) -> None:
    """Read and send texts as a phone of the lab. Interactive without an action.

    A phone that is off receives its texts when it is on again.
    """
    ask, own = _find(lab, number)
    match action, words or []:
        case None, []:
            _use(ask, own)
        case "inbox", []:
            texts = ask("phone_inbox", {"number": own})
            lines = "\n".join(map(_line, texts)) or "no texts"
            print(safe_json(json.dumps(texts, indent=2, ensure_ascii=False)) if format == "json" else lines)
        case "send", [to, text]:
            ask("phone_send", {"number": own, "to": to, "text": text})
        case "reply", [text]:
            _reply(ask, own, text)
        case (("on" | "off"), []):
            ask("phone_switch", {"number": own, "on": action == "on"})
        case _:
            raise BadInput(
                f"recipient or text missing; write it like `xmpplab phone {number} send romeo 'But, soft!'` or "
                f"`xmpplab phone {number} reply 'Ay me'`"
            )


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
    raise BadInput(f"no phone {wanted} in this lab (phones: {', '.join(known) or 'none'})")


def _use(ask: Ask, number: str) -> None:
    print(f"this is {number}; {HOW}; Ctrl-C ends")
    seen, typed = 0, b""
    with interruptible():
        try:
            while True:
                for text in ask("phone_inbox", {"number": number, "after": seen}):
                    seen += 1
                    print(_line(text), flush=True)
                if not select.select([sys.stdin], [], [], LOOK_EVERY_S)[0]:
                    continue
                read = os.read(sys.stdin.fileno(), 65_536)  # readline() would keep a second line to itself
                *lines, typed = (typed + read).split(b"\n")
                for line in lines if read else [typed]:
                    _send_line(ask, number, line.decode(errors="replace"))
                if not read:
                    return
        except KeyboardInterrupt:
            print()


def _send_line(ask: Ask, number: str, line: str) -> None:
    from cluster.lab.errors import LabError

    to, _, text = line.strip().partition(" ")
    try:
        if to == ">" and text:
            _reply(ask, number, text)
        elif text:
            ask("phone_send", {"number": number, "to": to, "text": text})
        elif to:
            print(HOW)
    except LabError as error:
        print(safe(f"not sent: {error}"))


def _reply(ask: Ask, number: str, text: str) -> None:
    """To whoever wrote the newest text. Raises BadInput where there is none."""
    texts = ask("phone_inbox", {"number": number})
    if not texts:
        raise BadInput("nothing to reply to: this phone has received no text")
    ask("phone_send", {"number": number, "to": texts[-1]["from"], "text": text})


def _line(text: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(text["at_utc_s"]).astimezone().strftime("%H:%M:%S")
    return f"{at}  {safe_line(text['from'])}: {safe_indented(text['text'], ' ' * 10)}"
