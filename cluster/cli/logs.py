"""`xmpplab logs`: what the processes of the lab say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import LabName, chosen
from cluster.trace.terminal import safe_indented

if TYPE_CHECKING:
    from cluster.lab.driver import Story
    from cluster.lab.logs import LogLine

FOLLOW_EVERY_S = 0.1
"""Reads as live."""


def logs(
    node: Annotated[str | None, typer.Argument(help="Only this one, such as s1 or redis.")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    lab: LabName = None,
) -> None:
    """Show the log of a lab, of all its processes by time, or of one."""
    from cluster.lab import driver
    from cluster.lab.wait import pause

    folder = chosen(lab)
    story = driver.of(folder).story(folder, node)
    print_new(story)
    try:
        while follow and folder.logs.exists():
            pause(FOLLOW_EVERY_S)
            print_new(story)
    except KeyboardInterrupt:
        pass  # how following ends


def print_new(story: Story) -> None:
    """What was added since the last call."""
    for node, line in story.read():
        print(shown(node, line), flush=True)


def shown(node: str, line: LogLine) -> str:
    """One line for people: local time of day would mislead beside traces, so it is UTC."""
    moment = line.at_utc[11:23] or " " * 12
    level = "" if line.level == "info" else f"{line.level.upper()} "
    return f"{moment} {node:<6} {level}{safe_indented(line.text, '    ')}"
