"""`xmpplab watch`: hops as they happen."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.common import LabName, chosen
from cluster.trace.terminal import safe_line

if TYPE_CHECKING:
    from cluster.trace.hop import Hop


def watch(
    filter: Annotated[str, typer.Option(metavar="TEXT", help="Only lines with this text.")] = "",
    lab: LabName = None,
) -> None:
    """Show the hops of the stanzas that are followed, until Ctrl-C: probes, and one in `trace.sample_every`."""
    from cluster.lab.tracing import journal

    folder = chosen(lab)
    with suppress(KeyboardInterrupt), journal(folder, folder.plan()) as reader:
        for hop in reader.follow():
            line = _shown(hop)
            if filter in line:
                print(line, flush=True)


def _shown(hop: Hop) -> str:
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(hop.at_utc_ns / 1e9, UTC).strftime("%H:%M:%S.%f")
    what = f"{hop.node:<6} {hop.event:<9} {hop.kind} {hop.from_} → {hop.to}, {hop.size_bytes} bytes"
    line = f"{moment} {hop.trace_id} {what}"
    return safe_line(f"{line}: {hop.detail}" if hop.detail else line)
