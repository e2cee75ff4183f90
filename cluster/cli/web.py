"""`xmpplab web`: the page of a running lab."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.interrupt import interruptible
from cluster.lab.api import Lab


def web(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="TCP port on the loopback; 0: a free one.")] = 0,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Show what was recorded of a lab that `down --keep` left in this folder."),
    ] = None,
    lab: LabName = None,
) -> None:
    """Serve a page that shows the lab: map, messages, chat. Until Ctrl-C."""
    from cluster.web import serve

    shown = Lab.named(lab) if replay is None else Lab.kept(replay)
    if replay is None:
        shown.check_up()
    with suppress(KeyboardInterrupt), interruptible(), serve(shown, port) as address:
        what = f"lab {shown.name}" if replay is None else f"what was recorded of lab {shown.name}"
        print(f"{what} in the browser: {address}\nCtrl-C ends the page, and leaves the lab as it is", flush=True)
        threading.Event().wait()
