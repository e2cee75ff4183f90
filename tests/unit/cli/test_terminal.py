"""Every command that shows what others wrote shows it harmless."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from cluster.cli import fault, trace, user, watch
from cluster.cli.output import print_json
from cluster.cli.table import print_table
from cluster.lab.answers import AccountView, LinkState
from cluster.lab.api import log_text
from cluster.lab.errors import LabError
from cluster.lab.logs import LogLine
from cluster.lab.verify import render as verify
from cluster.lab.verify.report import Example
from cluster.networks.mailhost import terminal as mail
from cluster.networks.mailhost.requests import MailView
from cluster.networks.smsc import terminal as phone
from cluster.networks.smsc.requests import TextView
from cluster.trace import render
from cluster.trace.hop import Event, Hop
from tests.unit.trace.test_terminal import is_harmless

EVIL = "\x9b31m\x9d0;title\x1b]52;c;!\x07\u202e\x7f\x00\r"
HOP = Hop("t1", "s1", Event.RECEIVED, 1, "message", f"romeo@montague.lit/{EVIL}", f"juliet@capulet.lit/{EVIL}", 5, EVIL)


def _fail() -> None:
    import_module("cluster.cli.app")._failed(f"not done: {EVIL}", 1)


def _users(monkeypatch: pytest.MonkeyPatch) -> None:
    users = SimpleNamespace(ls=lambda domain: [AccountView(EVIL, "s1")])
    monkeypatch.setattr(user.Lab, "named", lambda name: SimpleNamespace(users=users))
    user.ls(None)


def _phone_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(to: str, text: str) -> None:
        raise LabError(EVIL)

    phone._send_line(cast(Any, SimpleNamespace(send=send)), "romeo hi")


LETTER = MailView(1.0, EVIL, f"{EVIL}\n", f"{EVIL}\n{EVIL}", "1", "")
TEXT = TextView(1.0, EVIL, f"{EVIL}\n{EVIL}", "")
SHOWN: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "phone": lambda _: print(phone._line(TEXT)),
    "phone, refused": _phone_says,
    "mail": lambda _: mail._print([LETTER]),
    "mail as JSON": lambda _: print_json([LETTER]),
    "trace": lambda _: trace.print_tree([HOP]),
    "trace as Mermaid": lambda _: print(render.mermaid([HOP])),
    "watch": lambda _: print(watch.shown(HOP)),
    "logs": lambda _: print(log_text("s1", LogLine("2023-11-14T22:13:20.000000+00:00", "info", EVIL))),
    "errors": lambda _: _fail(),
    "user ls": _users,
    "fault ls": lambda _: print(fault._shown(LinkState("s1", "s2", "montague.lit", "capulet.lit", {"delay": EVIL}, 0))),
    "tables": lambda _: print_table(["LINK"], [[EVIL]]),
    "verify": lambda _: [
        Console(markup=False).print(part) for part in verify.route("romeo", Example("lost", EVIL, [HOP]))
    ],
}


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_harmless(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    SHOWN[name](monkeypatch)
    written = capsys.readouterr()
    shown = written.out + written.err
    assert is_harmless(shown, "\n")
    assert "9b" in shown  # it is there to be seen
