"""The ids of the entries of a link."""

from __future__ import annotations

from typing import NamedTuple


class EntryId(NamedTuple):
    """The id of an entry of a stream; a later one is greater."""

    ms: int
    """Since the epoch."""
    number: int

    @staticmethod
    def parse(raw: bytes) -> EntryId:
        """Parse the form of Redis. Raises ValueError."""
        ms, _, number = raw.partition(b"-")
        return EntryId(int(ms), int(number))

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}"
