"""`xmpplab interop`: what works between servers of two kinds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.interrupt import interruptible
from cluster.cli.output import Format, print_json
from cluster.cli.progress import progress
from cluster.cli.table import wrong
from cluster.lab.api import BadInput, LabError
from cluster.trace.terminal import safe_line

if TYPE_CHECKING:
    from cluster.lab.interop.grid import Cell


def interop(
    kinds: Annotated[str, typer.Option(metavar="KIND,…", help="Kinds of servers; default: all that can be run.")] = "",
    ways: Annotated[
        str,
        typer.Option(
            metavar="WAY,…", help="How servers prove their domains: external, dialback; and certificates with flaws."
        ),
    ] = "external,dialback,certificates",
    format: Format = "text",
    write: Annotated[Path | None, typer.Option(metavar="PAGE", help="Write the grid into this page.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the grid as JUnit XML.")] = None,
) -> None:
    """Try what works between servers of every two kinds. Exit code 1 if something does not.

    Brings up a lab of two servers for each pair of kinds and each way to prove a domain, and has clients at both chat,
    subscribe, ask, fail, wait, meet in rooms, and send while a server restarts.
    """
    from cluster.lab.interop import grid, report

    wanted = [kind for kind in kinds.split(",") if kind] or grid.kinds_to_try()
    known = (*grid.WAYS, grid.CERTIFICATES)
    proofs = [way for way in known if way in ways.split(",")]
    if unknown := [way for way in ways.split(",") if way not in known]:
        raise BadInput(f"no way {', '.join(unknown)} (ways: {', '.join(known)})")
    page = write.read_text(encoding="utf-8") if write else ""
    cells: list[Cell] = []
    with interruptible(), progress() as tell, tempfile.TemporaryDirectory(prefix="xmpplab-interop-") as root:
        for cell in grid.run(Path(root), wanted, proofs, tell):
            cells.append(cell)
            if format == "text":
                _print(report.told(cell) if cell.remark else f"{report.told(cell)}ok", cell.ok)
    if format == "json":
        print_json(cells)
    if write:
        write.write_text(report.updated(page, cells), encoding="utf-8")
    if junit:
        junit.write_text(report.junit(cells), encoding="utf-8")
    if failed := sum(not cell.ok for cell in cells):
        raise LabError(f"{failed} of {len(cells)} cells failed")


def _print(text: str, ok: bool) -> None:
    line = safe_line(f"{'ok  ' if ok else 'FAIL'}  {text}")
    print(line if ok else wrong(line), flush=True)
