"""Progress of an operation that takes long."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Tell = Callable[[str], None]
"""Gets the current state, again and again; the same text while nothing has changed."""

MOST_NAMES = 4


def untold(text: str) -> None:
    """Discards the text."""


def shortened(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """The first items, and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
