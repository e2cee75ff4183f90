"""`xmpplab load`: a locust run against the lab."""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from cluster.cli import completion
from cluster.cli.common import LabName
from cluster.lab.api import BadInput, Lab, LabError
from cluster.lab.catalogue import load_scenario_path


def load(
    scenario: Annotated[
        str,
        typer.Argument(
            help="Load scenario: chat, gateway, rooms, or a locust file of your own.",
            autocompletion=completion.load_scenarios,
        ),
    ] = "chat",
    users: Annotated[int, typer.Option(min=1, help="Number of users.")] = 50,
    time: Annotated[str, typer.Option(metavar="TIME", help="Duration of the run (30s, 5m, 1h30m).")] = "30s",
    cross: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of messages to another domain, 0 to 1.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report to this file.")] = None,
    lab: LabName = None,
) -> None:
    """Put load on the lab, and measure the delivery of each message."""
    path = Lab.named(lab).path
    if find_spec("locust") is None:
        raise LabError("locust is not installed; `pip install '.[load]'` in the checkout of xmpplab")
    file = load_scenario_path(scenario)
    if not file.is_file():
        raise BadInput(f"no file {file}; name a locust file, or a load scenario such as chat")
    _check_time(time)
    if html is not None:
        _check_writable(html)
    argv = [sys.executable, "-m", "locust", "-f", str(file), "--headless"]
    argv += ["-u", str(users), "-r", str(max(1, users // 2)), "-t", time]
    if cross is not None:
        argv += ["--cross", str(cross)]
    if html is not None:
        argv += ["--html", str(html)]
    os.execve(sys.executable, argv, {**os.environ, "XMPPLAB_STATE": str(path)})


def _check_time(text: str) -> None:
    """Check the time as locust parses it. Raises BadInput."""
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    if not found or not any(int(number) for number in found.groups() if number):
        raise BadInput(f"{text!r} is not a time to run for; write 30s, 5m or 1h30m")


def _check_writable(report: Path) -> None:
    """Check before the run that the report can be written. Raises BadInput."""
    is_new = not report.exists()
    try:
        report.open("ab").close()
        if is_new:
            report.unlink()
    except OSError as error:
        raise BadInput(f"cannot write {report}: {error.strerror}; name another file for the report") from None
