"""Progress of an operation that takes long."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Tell = Callable[[str], None]
"""Gets the current state, again and again; the same text while nothing has changed."""

MOST_NAMES = 4


def untold(text: str) -> None:
    """Discards the text."""


def shortened(names: Sequence[str]) -> str:
    """The first items, and the number of the others."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
