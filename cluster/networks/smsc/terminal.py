"""`xmpplab phone`: a phone of the lab's SMS network, in the terminal."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cluster.networks.terminal import Ask, Refused
from cluster.trace.terminal import safe, safe_indented, safe_json, safe_line

LOOK_EVERY_S = 0.3
HOW = "`romeo But, soft!` writes to romeo, `> Ay me` answers the newest"


def use(ask: Ask, number: str, action: str | None, words: Sequence[str], format: str) -> None:
    """Do it as this phone. Raises ValueError, Refused."""
    match action, words:
        case None, []:
            _interact(ask, number)
        case "inbox", []:
            texts = ask("phone_inbox", {"number": number})
            lines = "\n".join(map(_line, texts)) or "no texts"
            print(safe_json(json.dumps(texts, indent=2, ensure_ascii=False)) if format == "json" else lines)
        case "send", [to, text]:
            ask("phone_send", {"number": number, "to": to, "text": text})
        case "reply", [text]:
            _reply(ask, number, text)
        case (("on" | "off"), []):
            ask("phone_switch", {"number": number, "on": action == "on"})
        case _:
            raise ValueError(
                f"what is sent, and to whom? write it like `xmpplab phone {number} send romeo 'But, soft!'` or "
                f"`xmpplab phone {number} reply 'Ay me'`"
            )


def _interact(ask: Ask, number: str) -> None:
    print(f"this is {number}; {HOW}; Ctrl-C ends")
    seen, typed = 0, b""
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
    to, _, text = line.strip().partition(" ")
    try:
        if to == ">" and text:
            _reply(ask, number, text)
        elif text:
            ask("phone_send", {"number": number, "to": to, "text": text})
        elif to:
            print(HOW)
    except (Refused, ValueError) as error:
        print(safe(f"not sent: {error}"))


def _reply(ask: Ask, number: str, text: str) -> None:
    """To whoever wrote the newest text. Raises ValueError where there is none."""
    texts = ask("phone_inbox", {"number": number})
    if not texts:
        raise ValueError("nobody has written to this phone")
    ask("phone_send", {"number": number, "to": texts[-1]["from"], "text": text})


def _line(text: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(text["at_utc_s"]).astimezone().strftime("%H:%M:%S")
    return f"{at}  {safe_line(text['from'])}: {safe_indented(text['text'], ' ' * 10)}"
