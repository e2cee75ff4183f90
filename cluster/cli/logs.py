"""`xmpplab logs`: the log of the lab's processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import nodes
from cluster.cli.output import Format
from cluster.cli.table import wrong
from cluster.lab.api import Lab, log_begin
from cluster.trace.terminal import safe_indented, safe_json

if TYPE_CHECKING:
    from cluster.lab.api import LogLine

FOLLOW_EVERY_S = 0.1
"""Seems immediate to a reader."""


def logs(
    node: Annotated[
        str | None, typer.Argument(help="Node, such as s1 or redis; without it: all.", autocompletion=nodes)
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Follow the log until Ctrl-C.")] = False,
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help="Only lines after this time: 90s or 10m ago, or 2026-11-20T12:00:00Z."),
    ] = "",
    tail: Annotated[int | None, typer.Option(min=0, metavar="N", help="Show only the last N lines.")] = None,
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """Show the log of a lab or of one node, ordered by time. JSON: one document per line."""
    begin = log_begin(since, datetime.now(UTC))
    shown_lab = Lab.named(lab)
    story = shown_lab.log(node)
    lines = (entry for entry in story.read() if entry[1].at_utc >= begin)
    print_lines(lines if tail is None else deque(lines, tail), format)
    if follow:
        with suppress(KeyboardInterrupt):  # Ctrl-C ends -f
            print_lines(shown_lab.follow(story, FOLLOW_EVERY_S), format)


def print_lines(lines: Iterable[tuple[str, LogLine]], format: str = "text") -> None:
    """Print each line as it comes."""
    for node, line in lines:
        if format == "json":
            print(_document(node, line), flush=True)
        else:
            print(wrong(shown(node, line)) if line.level == "error" else shown(node, line), flush=True)


def _document(node: str, line: LogLine) -> str:
    import msgspec

    from cluster.lab.answers import LogView

    return safe_json(msgspec.json.encode(LogView(line.at_utc, node, line.level, line.text)).decode())


def shown(node: str, line: LogLine) -> str:
    """One line for people, in UTC like the times of traces."""
    moment = line.at_utc[11:23] or " " * 12
    level = "" if line.level == "info" else f"{line.level.upper()} "
    return f"{moment} {node:<6} {level}{safe_indented(line.text, '    ')}"
