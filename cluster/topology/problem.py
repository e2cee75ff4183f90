"""What is wrong with a topology file: every problem with its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cluster.kinds.base.finding import KeyPath


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
