"""`xmpplab phone`: a phone of the lab's SMS network, in the terminal."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Sequence
from datetime import datetime

from cluster.base.request import Refused
from cluster.networks.smsc.person import Phone
from cluster.networks.smsc.requests import TextView
from cluster.trace.terminal import safe, safe_indented, safe_line

LOOK_EVERY_S = 0.3
HOW = "`romeo But, soft!` writes to romeo, `> Ay me` answers the newest"


def use(phone: Phone, action: str | None, words: Sequence[str]) -> None:
    """Execute the command as this phone. Raises ValueError, Refused."""
    match action, words:
        case None, []:
            _interact(phone)
        case "inbox", []:
            print("\n".join(map(_line, phone.inbox())) or "no texts")
        case "send", [to, text]:
            phone.send(to, text)
        case "reply", [text]:
            phone.reply(text)
        case (("on" | "off"), []):
            phone.switch(on=action == "on")
        case _:
            raise ValueError(
                f"recipient or text missing; write it like `xmpplab phone {phone.address} send romeo 'But, soft!'` or "
                f"`xmpplab phone {phone.address} reply 'Ay me'`"
            )


def _interact(phone: Phone) -> None:
    print(f"this is {phone.address}; {HOW}; Ctrl-C ends")
    seen, typed = 0, b""
    try:
        while True:
            for text in phone.inbox(seen):
                seen += 1
                print(_line(text), flush=True)
            if not select.select([sys.stdin], [], [], LOOK_EVERY_S)[0]:
                continue
            read = os.read(sys.stdin.fileno(), 65_536)  # readline() would buffer a second line
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
    except (Refused, ValueError) as error:
        print(safe(f"not sent: {error}"))


def _line(text: TextView) -> str:
    at = datetime.fromtimestamp(text.at_utc_s).astimezone().strftime("%H:%M:%S")
    return f"{at}  {safe_line(text.from_)}: {safe_indented(text.text, ' ' * 10)}"
