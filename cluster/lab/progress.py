"""How far a thing is that takes long."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Tell = Callable[[str], None]
"""Is told what happens now, again and again, in the same words while nothing is new."""

MOST_NAMES = 4


def untold(text: str) -> None:
    """To nobody."""


def shortened(names: Sequence[str]) -> str:
    """The first of them, and how many there are besides."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
