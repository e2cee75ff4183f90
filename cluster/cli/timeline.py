"""`xmpplab timeline`: what happened in the lab second by second."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.common import LabName
from cluster.cli.seconds_file import check_file, write_file
from cluster.lab.api import Lab, LabError, seconds


def timeline(
    file: Annotated[
        Path, typer.Argument(help="File to write: a page (.html), or a row for each second (.csv, .json).")
    ],
    last: Annotated[
        str, typer.Option(metavar="TIME", help="How much of it, until now; of a simulated run, until its end.")
    ] = "10m",
    lab: LabName = None,
) -> None:
    """Write what happened in the lab, second by second, to a file.

    A page or a table: times by hop, backlogs, processor, memory, and what was done to the lab (docs/timeline.md).
    """
    check_file(file)
    shown = Lab.named(lab)
    end_s = shown.timeline.end_utc_s()
    found = shown.timeline.period(f"Lab {shown.name}, the last {last}", end_s - seconds(last, "--last"), end_s)
    if not any(second.nodes for second in found.seconds):
        raise LabError(
            f"nothing was recorded of lab {shown.name} in the last {last}; labs in containers record nothing"
        )
    write_file(file, found)
    print(f"written: {file} ({len(found.seconds)} seconds, {len(found.marks)} marks)")
