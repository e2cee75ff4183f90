"""A table for people."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

import typer

from cluster.trace.terminal import safe_line

NARROW = 60
"""Columns of a terminal next to another window."""


LEAST = 4
"""Characters of a cell that are shown even if the table has no room."""


class Wrong(str):
    """A cell with a problem: red, if colours are shown."""

    __slots__ = ()


def in_colour() -> bool:
    """Whether to colour the output: it is a terminal, and the user has not set NO_COLOR (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def wrong(text: str) -> str:
    """A line about a problem: red, if colours are shown."""
    return typer.style(text, fg="red") if in_colour() else text


def fitted(line: str, indent: int) -> str:
    """A line as text of the terminal's width: it goes on `indent` columns from the left, and words stay whole."""
    if not sys.stdout.isatty():
        return line
    width = max(shutil.get_terminal_size().columns, 2 * indent)
    if len(line) <= width:
        return line
    first = len(line) - len(line.lstrip())
    return textwrap.fill(
        line[first:], width, initial_indent=" " * first, subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False, replace_whitespace=False, drop_whitespace=True,
    )  # fmt: skip


def print_verdict(text: str, *, ok: bool, indent: int = 6) -> None:
    """Print the result of one step as soon as it is known, marked `ok` or `FAIL`."""
    line = fitted(safe_line(f"{'ok  ' if ok else 'FAIL'}  {text}"), indent)
    print(line if ok else wrong(line), flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None) -> None:
    """Print columns as wide as their widest cells; None is shown as a dash.

    `width`: of the whole table at the most; the widest cells are cut.
    """
    cells = [[_cell(value) for value in row] for row in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    while width is not None and sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > LEAST:
        widths[widths.index(max(widths))] -= 1
    for row in cells:
        last = len(row) - 1
        parts = [
            _padded(cell, size, is_last=at == last) for at, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(parts).rstrip())


def _padded(cell: str, size: int, *, is_last: bool) -> str:
    shown = cell if len(cell) <= size else f"{cell[: size - 1]}…"
    filling = "" if is_last else " " * (size - len(shown))
    return (wrong(shown) if isinstance(cell, Wrong) else shown) + filling


def _cell(value: object) -> str:
    text = "-" if value is None else safe_line(str(value))
    return Wrong(text) if isinstance(value, Wrong) else text
