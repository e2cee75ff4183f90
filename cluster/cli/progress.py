"""A line of the terminal that shows the progress of a command until it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_CLEAR = "\r\x1b[K"


@contextmanager
def progress(*, is_shown: bool = True) -> Iterator[Callable[[str], None]]:
    """Each text replaces the previous one; nothing is shown if standard error is not a terminal, or other lines are
    (`is_shown`)."""
    shown = ""

    def tell(text: str) -> None:
        nonlocal shown
        if is_shown and sys.stderr.isatty() and text != shown:
            shown = text
            print(f"{_CLEAR}{text}", end="", file=sys.stderr, flush=True)

    try:
        yield tell
    finally:
        if shown:
            print(_CLEAR, end="", file=sys.stderr, flush=True)
