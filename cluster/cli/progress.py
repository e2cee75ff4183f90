"""A line of the terminal that says how far a command is, until it is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_CLEAR = "\r\x1b[K"


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """What is told is shown in place of what was told before; nothing where standard error is no terminal."""
    shown = ""

    def tell(text: str) -> None:
        nonlocal shown
        if sys.stderr.isatty() and text != shown:
            shown = text
            print(f"{_CLEAR}{text}", end="", file=sys.stderr, flush=True)

    try:
        yield tell
    finally:
        if shown:
            print(_CLEAR, end="", file=sys.stderr, flush=True)
