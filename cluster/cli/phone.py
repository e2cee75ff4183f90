"""`xmpplab phone`: a phone of the lab's SMS network, in the terminal."""

from __future__ import annotations

import os
import select
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import phones
from cluster.cli.interrupt import interruptible
from cluster.cli.output import print_json
from cluster.lab.api import BadInput, Lab, LabError
from cluster.trace.terminal import safe, safe_indented, safe_line

if TYPE_CHECKING:
    from cluster.lab.answers import TextView
    from cluster.lab.api import Phone

LOOK_EVERY_S = 0.3
HOW = "`romeo But, soft!` writes to romeo, `> Ay me` answers the newest"


def phone(
    number: Annotated[
        str, typer.Argument(help="The phone, such as +393331234567, or its name: fc1.", autocompletion=phones)
    ],
    action: Annotated[
        Literal["inbox", "send", "reply", "on", "off"] | None, typer.Argument(help="Without: use it interactively.")
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[[TO] TEXT]",
            help="To send: a number, an address or a local name such as romeo, and a text. To reply: a text.",
        ),
    ] = None,
    format: Annotated[Literal["text", "json"], typer.Option("--format", help="Of the inbox.")] = "text",
    lab: LabName = None,
) -> None:
    """Read and send texts as a phone of the lab; interactively, unless told to do one thing.

    A phone that is off gets its texts when it is on again.
    """
    own = Lab.named(lab).phone(number)
    match action, words or []:
        case None, []:
            _use(own)
        case "inbox", []:
            texts = own.inbox()
            if format == "json":
                print_json(texts)
            else:
                print("\n".join(map(_line, texts)) or "no texts")
        case "send", [to, text]:
            own.send(to, text)
        case "reply", [text]:
            own.reply(text)
        case (("on" | "off"), []):
            own.switch(on=action == "on")
        case _:
            raise BadInput(
                f"what is sent, and to whom? write it like `xmpplab phone {number} send romeo 'But, soft!'` or "
                f"`xmpplab phone {number} reply 'Ay me'`"
            )


def _use(phone: Phone) -> None:
    print(f"this is {phone.number}; {HOW}; Ctrl-C ends")
    seen, typed = 0, b""
    with interruptible():
        try:
            while True:
                for text in phone.inbox(seen):
                    seen += 1
                    print(_line(text), flush=True)
                if not select.select([sys.stdin], [], [], LOOK_EVERY_S)[0]:
                    continue
                read = os.read(sys.stdin.fileno(), 65_536)  # readline() would keep a second line to itself
                *lines, typed = (typed + read).split(b"\n")
                for line in lines if read else [typed]:
                    _send_line(phone, line.decode(errors="replace"))
                if not read:
                    return
        except KeyboardInterrupt:
            print()


def _send_line(phone: Phone, line: str) -> None:
    to, _, text = line.strip().partition(" ")
    try:
        if to == ">" and text:
            phone.reply(text)
        elif text:
            phone.send(to, text)
        elif to:
            print(HOW)
    except LabError as error:
        print(safe(f"not sent: {error}"))


def _line(text: TextView) -> str:
    at = datetime.fromtimestamp(text.at_utc_s).astimezone().strftime("%H:%M:%S")
    return f"{at}  {safe_line(text.from_)}: {safe_indented(text.text, ' ' * 10)}"
