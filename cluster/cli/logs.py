"""`xmpplab logs`: the log of the lab's processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cluster.cli.common import LabName
from cluster.cli.completion import nodes
from cluster.cli.output import Format
from cluster.cli.table import wrong
from cluster.lab.api import Lab, log_begin, log_text
from cluster.trace.terminal import safe_json

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
    set_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option("--set-level", help="Log from this level on, until the node's process ends; and show nothing."),
    ] = None,
    tail: Annotated[int | None, typer.Option(min=0, metavar="N", help="Show only the last N lines.")] = None,
    format: Format = "text",
    lab: LabName = None,
) -> None:
    """Show the log of a lab or of one node, ordered by time. JSON: one document per line."""
    shown_lab = Lab.named(lab)
    if set_level is not None:
        for name, before in shown_lab.set_log_level(set_level, node).items():
            print(f"{name} logs from {set_level} on (before: {before})")
        return
    begin = log_begin(since, datetime.now(UTC))
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
            text = log_text(node, line)
            print(wrong(text) if line.level == "error" else text, flush=True)


def _document(node: str, line: LogLine) -> str:
    import msgspec

    from cluster.lab.answers import LogView

    return safe_json(msgspec.json.encode(LogView(line.at_utc, node, line.level, line.text)).decode())
