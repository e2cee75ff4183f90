"""`xmpplab interop`: what works between servers of two kinds."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.interrupt import interruptible
from cluster.cli.output import Format, check_writable, print_json
from cluster.cli.progress import progress
from cluster.cli.table import print_verdict
from cluster.lab.api import BadInput, LabError

if TYPE_CHECKING:
    from cluster.lab.interop.cell import Cell


def interop(
    kinds: Annotated[str, typer.Option(metavar="KIND,…", help="Kinds of servers; default: all that can be run.")] = "",
    ways: Annotated[
        str,
        typer.Option(
            metavar="WAY,…",
            help="How servers meet: external, dialback, bidi, direct-tls; and one alone: certificates with flaws, and "
            "the conduct of another server that misbehaves.",
        ),
    ] = "external,dialback,bidi,direct-tls,certificates,conduct",
    format: Format = "text",
    write: Annotated[Path | None, typer.Option(metavar="PAGE", help="Write the grid into this page.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the grid as JUnit XML.")] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the grid as an HTML page, with what was said in each cell."),
    ] = None,
) -> None:
    """Try what works between servers of every two kinds. Exit code 1 if something does not.

    Brings up a lab of two servers for each pair of kinds and each way to meet, and has clients at both chat,
    subscribe, ask, fail, wait, meet in rooms, and send while a server restarts. A cell that fails tells which server
    breaks which section, as far as that can be told from outside. Ctrl-C ends it with the cells so far.
    """
    from cluster.lab.interop import grid, report
    from cluster.lab.interop.page import page_of

    wanted = [kind for kind in kinds.split(",") if kind] or grid.kinds_to_try()
    proofs = [way for way in grid.WAYS if way in ways.split(",")]
    if unknown := [way for way in ways.split(",") if way not in grid.WAYS]:
        raise BadInput(f"no way {', '.join(unknown)} (ways: {', '.join(grid.WAYS)})")
    page = write.read_text(encoding="utf-8") if write else ""
    for file in filter(None, (junit, html)):
        check_writable(file)
    cells: list[Cell] = []
    try:
        with interruptible(), progress() as tell, tempfile.TemporaryDirectory(prefix="xmpplab-interop-") as root:
            total = grid.count(wanted, proofs)
            for cell in grid.run(Path(root), wanted, proofs, lambda text: tell(f"{len(cells)} of {total}: {text}")):
                cells.append(cell)
                if format == "text":
                    print_verdict(report.told(cell), ok=cell.ok)
    finally:  # where it is interrupted, what is known by then
        _write(junit, lambda: report.junit(cells))
        _write(html, lambda: page_of(cells))
    if format == "json":
        print_json(cells)
    _write(write, lambda: report.updated(page, cells))
    if failed := sum(not cell.ok for cell in cells):
        raise LabError(f"{failed} of {len(cells)} cells failed")
    if format == "text":
        print(f"all {len(cells)} cells are ok")


def _write(file: Path | None, text: Callable[[], str]) -> None:
    if file is not None:
        file.write_text(text(), encoding="utf-8")
        print(f"written: {file}", file=sys.stderr)
