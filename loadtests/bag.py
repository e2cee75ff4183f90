"""A collection from which one is chosen at random, in constant time however many there are."""

from __future__ import annotations

from collections.abc import Hashable
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Bag(Generic[T]):
    """What is in it once, in no order that means anything."""

    def __init__(self) -> None:
        self._all: list[T] = []
        self._at: dict[T, int] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, one: T) -> bool:
        return one in self._at

    def add(self, one: T) -> None:
        """Nothing changes if it is there."""
        if one not in self._at:
            self._at[one] = len(self._all)
            self._all.append(one)

    def discard(self, one: T) -> None:
        """Nothing changes if it is not there."""
        at = self._at.pop(one, None)
        if at is not None:
            last = self._all.pop()
            if at < len(self._all):
                self._all[at] = last
                self._at[last] = at

    def choose(self, rng: Random, other_than: T) -> T | None:
        """One of those that are not `other_than`, each with the same probability; None without any."""
        but = self._at.get(other_than)
        count = len(self._all) - (but is not None)
        if not count:
            return None
        at = int(rng.random() * count)
        return self._all[at if but is None or at < but else at + 1]
