"""Errors in the content of a file, before their lines in the file are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

KeyPath = tuple[str | int, ...]
"""The keys and list indexes from the top of the file to a value."""


Sections = Mapping[str, Mapping[str, Any]]
"""Sections by their names, unparsed."""


class Finding(NamedTuple):
    """An error in the value at a path, or in the key that leads to it."""

    path: KeyPath
    message: str
    at_key: bool = False


def choice(word: str, allowed: Iterable[str]) -> str:
    """The end of a message about a word that is not one of `allowed`: the nearest of them, and all."""
    known = tuple(allowed)
    near = get_close_matches(word, known, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"; {meant}allowed: {', '.join(known) or 'none'}"
