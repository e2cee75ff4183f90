"""The time line of a lab in its folder: a file with a JSON object per line, a row or a mark each.

The newest 8 to 16 MiB are kept: with three domains many hours, with 200 domains in full traffic some minutes.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from cluster.base.histogram import Histogram
from cluster.lab.lines import MAX_FILE_BYTES, LineReader
from cluster.lab.state import State

MAX_MARK_CHARACTERS = 1_000
"""Of what a mark says."""


class NodeRow(msgspec.Struct, frozen=True, array_like=True):
    """One node at one moment."""

    state: State
    cpu_percent: float | None
    """Of one core, since the row before; None where no process runs, or it is that of a node before this one."""
    memory_bytes: int | None
    """Resident."""


class LinkRow(msgspec.Struct, frozen=True, array_like=True):
    """One direction between two domains."""

    written: int
    """Batches of stanzas since the row before."""
    waiting: int
    """Batches that the other end has not acknowledged."""
    faults: dict[str, str] = {}
    """In the form of `xmpplab fault set`."""


class Row(msgspec.Struct, frozen=True, tag="row", tag_field="is", omit_defaults=True):
    """The lab over about a second."""

    at_utc_s: float
    """The end of this time, in seconds since the epoch."""
    took_s: float
    nodes: dict[str, NodeRow]
    links: dict[str, LinkRow] = {}
    """By `s1→s2`: those with traffic, a backlog or faults."""
    times: dict[str, Histogram] = {}
    """How long followed stanzas took at a node, `s1`, and over a link, `s1→s2` (`cluster.trace.stretches`)."""
    stanzas: int = 0
    """Those that are followed and entered the lab in this time."""
    failures: int = 0
    """Stanzas that were bounced, dropped or lost by a fault, as far as the journal has them."""
    is_partial: bool = False
    """The journal had more than one look reads; the three figures before are of a part of it."""


class Mark(msgspec.Struct, frozen=True, tag="mark", tag_field="is"):
    """Something that was done to the lab, or that happened to a node."""

    at_utc_s: float
    what: str
    """As for `xmpplab`: `kill s2 --for 3s`; or in words: `s2 is running`."""


class Recorded(NamedTuple):
    """A part of a time line, oldest first."""

    rows: list[Row]
    marks: list[Mark]


_decode = msgspec.json.Decoder(Row | Mark).decode


def encoded(entry: Row | Mark) -> bytes:
    """The line for the file, with its end."""
    return msgspec.json.encode(entry) + b"\n"


def add_mark(path: Path, *words: str) -> None:
    """Note that this was just done to the lab, in the words of the command that does it. What cannot be written, as on
    a full disk, is left out."""
    line = encoded(Mark(round(time.time(), 3), shlex.join(words)[:MAX_MARK_CHARACTERS]))
    with suppress(OSError), open(path, "ab", buffering=0, opener=_private) as file:
        if file.tell() < 2 * MAX_FILE_BYTES:  # only the recorder replaces a long file
            file.write(line)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class TimelineReader:
    """Reads a time line from its beginning, and what is added on each further call."""

    def __init__(self, path: Path) -> None:
        self._lines = LineReader(path)

    def entries(self) -> Iterator[Row | Mark]:
        """What is new since the last call, oldest first; lines of another version are left out."""
        for line in self._lines.read():
            with suppress(msgspec.DecodeError):
                yield _decode(line)

    def read(self) -> Recorded:
        """As `entries`, rows and marks apart."""
        found = Recorded([], [])
        for entry in self.entries():
            if isinstance(entry, Row):
                found.rows.append(entry)
            else:
                found.marks.append(entry)
        return found


class _Time(msgspec.Struct, tag="row", tag_field="is"):
    """The beginning of a row: of a long file, only one is decoded in full."""

    at_utc_s: float


_time_of = msgspec.json.Decoder(_Time).decode


def row_at(path: Path, at_utc_s: float) -> Row | None:
    """The row that a moment belongs to: the last one that ends by then; None if the time line begins later."""
    found = b""
    for line in LineReader(path).read():
        with suppress(msgspec.DecodeError):
            if _time_of(line).at_utc_s > at_utc_s:
                break
            found = line
    return msgspec.json.decode(found, type=Row) if found else None
