"""What is wrong with a topology file: every problem with its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

KeyPath = tuple[str | int, ...]
"""The keys and list positions that lead from the top of the file to a value."""


class Finding(NamedTuple):
    """What is wrong with the value at a path, or with the key that leads to it."""

    path: KeyPath
    message: str
    at_key: bool = False


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to correct."""

    file: str
    line: int
    """From 1; 0 where the whole file is meant."""
    column: int
    where: str
    """The keys that lead there: `servers.s1.tls`, `accounts.romeo@montague.lit.contacts[0]`."""
    message: str
    """What is wrong; what is allowed."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.where}: {self.message}" if self.where else f"{place}: {self.message}"


class TopologyError(Exception):
    """A topology file cannot be used; the text has one line for each problem, in the order of the file."""

    def __init__(self, errors: Iterable[Problem]) -> None:
        self.errors = tuple(sorted(errors))
        super().__init__("\n".join(map(str, self.errors)))


def dotted(path: KeyPath) -> str:
    """The path as people write it: `accounts.romeo@montague.lit.contacts[0]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def choice(word: str, allowed: Iterable[str]) -> str:
    """The end of a message about a word that is not one of `allowed`: the nearest of them, and all."""
    known = tuple(allowed)
    near = get_close_matches(word, known, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"; {meant}allowed: {', '.join(known) or 'none'}"
