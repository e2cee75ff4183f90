"""A table for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cluster.trace.terminal import safe_line


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Each column as wide as its widest cell. None is a dash; control characters in a cell are shown as such."""
    cells = [columns, *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return "-" if value is None else safe_line(str(value))
