"""The journal of a simulated run, or of a lab that is down, in its folder: a line for some hops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from cluster.lab.lines import LineReader
from cluster.trace.hop import Hop

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Hop]).decode


def encoded(hops: Sequence[Hop]) -> bytes:
    """The line for the file, with its end."""
    return _encode(hops) + b"\n"


class KeptJournal:
    """Reads the hops of such a journal."""

    def __init__(self, path: Path) -> None:
        self._lines = LineReader(path).read()

    def newest_first(self) -> Iterator[list[Hop]]:
        """What is in the journal, a line at a time."""
        yield from map(_hops, reversed(self._lines))

    def replay(self) -> Iterator[list[Hop]]:
        """As `newest_first`, oldest first."""
        yield from map(_hops, self._lines)


def _hops(line: bytes) -> list[Hop]:
    """The hops of a line; none for one that is damaged."""
    with suppress(msgspec.DecodeError):
        return _decode(line)
    return []
