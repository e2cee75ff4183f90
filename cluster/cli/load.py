"""`xmpplab load`: a locust run against the lab."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.common import LabName, chosen
from cluster.lab.errors import BadInput, LabError

SCENARIOS = Path("loadtests")


def load(
    scenario: Annotated[str, typer.Argument(help="A file of loadtests/, without `.py`.")] = "chat",
    users: Annotated[int, typer.Option(min=1, help="How many users.")] = 50,
    time: Annotated[str, typer.Option(help="For how long: 30s, 5m, 1h30m.")] = "30s",
    cross: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of messages to another domain, 0 to 1.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report to this file.")] = None,
    lab: LabName = None,
) -> None:
    """Put load on the lab, and measure until the messages arrive."""
    folder = chosen(lab)
    if find_spec("locust") is None:
        raise LabError("locust is not installed; `pip install 'xmpplab[load]'`")
    file = SCENARIOS / f"{scenario}.py"
    if not file.is_file():
        raise BadInput(f"no {file} in this folder; go to the project's folder" + _known())
    argv = [sys.executable, "-m", "locust", "-f", str(file), "--headless"]
    argv += ["-u", str(users), "-r", str(max(1, users // 2)), "-t", time]
    if cross is not None:
        argv += ["--cross", str(cross)]
    if html is not None:
        argv += ["--html", str(html)]
    os.execve(sys.executable, argv, {**os.environ, "XMPPLAB_STATE": str(folder.path)})


def _known() -> str:
    """Scenarios are the files that a locust command line names in its first lines."""
    found = [path.stem for path in sorted(SCENARIOS.glob("*.py")) if "locust -f" in path.read_text()[:1000]]
    return f", or name one of: {', '.join(found)}" if found else ""
