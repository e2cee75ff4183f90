"""Log files of a lab: one per node, one JSON object per line with `at_utc`, `level` and `text`; read in order of
time."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec


class LogLine(msgspec.Struct, frozen=True):
    """One log line of a node."""

    at_utc: str
    """ISO 8601 with microseconds and `+00:00`, so that lines sort by their text."""
    level: str
    """debug, info, warning or error."""
    text: str


def utc_text(now_utc: datetime) -> str:
    """A time in the form of log lines and state."""
    return now_utc.isoformat(timespec="microseconds")


def encode(line: LogLine) -> bytes:
    """The line in the form of the file, with its end."""
    return msgspec.json.encode(line) + b"\n"


def decode(raw: bytes) -> LogLine | None:
    """The line of `raw`; None for other texts, such as a traceback."""
    try:
        return msgspec.json.decode(raw, type=LogLine)
    except msgspec.DecodeError:
        return None


MAX_FILE_BYTES = 8 << 20
"""Of a node's file; it then replaces the previous one: a node takes twice this on disk."""


def earlier(path: Path) -> Path:
    """The path of the previous file."""
    return path.with_name(f"{path.name}.1")


class LogFile:
    """Appends the output of a child process; other lines become log lines. A long file replaces the previous one.

    Lines for which the disk has no room are counted, and the count is logged when there is room again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lost = 0
        self._file: BinaryIO
        self._open()

    def _open(self) -> None:
        self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115  # closed by close()
        self._path.chmod(0o600)

    def write(self, raw: bytes, now_utc: datetime, level: str) -> None:
        """Write one line of output without its end; `level` is for output without one."""
        if not raw.strip():
            return
        line = decode(raw) or LogLine(utc_text(now_utc), level, raw.decode("utf-8", "replace").rstrip())
        if self._lost:
            text = f"{self._lost} log lines before this one were lost: the disk was full"
            if self._append(encode(LogLine(line.at_utc, "warning", text))):
                self._lost = 0
        if self._lost or not self._append(encode(line)):
            self._lost += 1

    def _append(self, line: bytes) -> bool:
        """False if it was not written; then no part of it was."""
        end = self._file.seek(0, os.SEEK_END)
        try:
            if end + len(line) > MAX_FILE_BYTES:
                full = self._file
                self._path.replace(earlier(self._path))
                self._open()
                full.close()
                end = 0
            if self._file.write(line) == len(line):
                return True
            self._file.truncate(end)
        except OSError:
            pass
        return False

    def close(self) -> None:
        self._file.close()


class LogReader:
    """Reads one node's files from the beginning, and what is added to them on each further call."""

    def __init__(self, path: Path) -> None:
        self.node = path.stem
        self._path = path
        self._position = 0
        self._inode = 0
        """Of the file that was read last."""
        self._at_utc = ""

    def read(self) -> list[LogLine]:
        """The complete lines since the last call."""
        return [line for path in (earlier(self._path), self._path) for line in self._read(path)]

    def _read(self, path: Path) -> list[LogLine]:
        """What is new in this file: of the previous file, only what was not read before it was replaced."""
        try:
            with path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                if inode != self._inode:
                    if self._inode and path != self._path:
                        return []  # it was replaced before the one that was read last
                    self._inode, self._position = inode, 0
                file.seek(self._position)
                raw = file.read()
        except FileNotFoundError:
            return []
        complete = raw[: raw.rfind(b"\n") + 1]
        self._position += len(complete)
        return [self._line(part) for part in complete.splitlines()]

    def _line(self, raw: bytes) -> LogLine:
        """A line that is not a log line (a supervisor that crashed) gets the time of the line before it."""
        line = decode(raw) or LogLine(self._at_utc, "error", raw.decode("utf-8", "replace"))
        self._at_utc = line.at_utc
        return line


class ProcessLogs:
    """The log of all nodes of a lab, in order of time."""

    def __init__(self, folder: Path, node: str | None) -> None:
        """`node`: only this one."""
        self._folder = folder
        self._node = node
        self._readers: dict[Path, LogReader] = {}

    def read(self) -> Iterator[tuple[str, LogLine]]:
        """The lines since the last call, as (node, line), by time."""
        for path in sorted(self._folder.glob(f"{self._node or '*'}.jsonl")):
            self._readers.setdefault(path, LogReader(path))
        parts = [[(line.at_utc, reader.node, line) for line in reader.read()] for reader in self._readers.values()]
        for _, node, line in heapq.merge(*parts, key=lambda part: part[0]):
            yield node, line


def tail(path: Path, count: int) -> list[str]:
    """The last lines of a node, for an error message."""
    return [line.text for line in LogReader(path).read()[-count:]]
