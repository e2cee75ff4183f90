"""`xmpplab web`: the page of a running lab."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.interrupt import interruptible
from cluster.lab.api import BadInput, Lab

PAGE = "page"
"""What `connect` calls the chat of the page, among the client programs."""


def web(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="TCP port on the loopback; 0: a free one.")] = 0,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Show what was recorded of a lab that `down --keep` left in this folder."),
    ] = None,
    lab: LabName = None,
) -> None:
    """Serve a page that shows the lab: map, messages, chat. Until Ctrl-C."""
    if replay is not None and lab is not None:
        raise BadInput("--replay names the folder of a lab itself; leave out --lab")
    shown = Lab.named(lab) if replay is None else Lab.kept(replay)
    if replay is None:
        shown.check_up()
    _serve(shown, f"lab {shown.name}" if replay is None else f"what was recorded of lab {shown.name}", port)


def open_chat(lab: Lab, who: str, password: str) -> None:
    """Serve the page of a running lab until Ctrl-C, and show it in the user's browser, where `who` is chatting."""
    lab.check_up()
    _serve(lab, f"chat of {who}, lab {lab.name},", chat=(who, password))


def _serve(lab: Lab, what: str, port: int = 0, chat: tuple[str, str] | None = None) -> None:
    from cluster.web import serve

    with suppress(KeyboardInterrupt), interruptible(), serve(lab, port, chat) as address:
        print(f"{what} in the browser: {address}\nCtrl-C ends the page, and leaves the lab as it is", flush=True)
        if chat is not None and _has_display():
            webbrowser.open(address)
        threading.Event().wait()


def _has_display() -> bool:
    """Otherwise a browser would take the terminal."""
    return sys.platform == "darwin" or any(os.environ.get(each) for each in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
