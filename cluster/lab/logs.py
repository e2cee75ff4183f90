"""Log files of a lab: one per node, one JSON object per line with `at_utc`, `level` and `text`; read in order of
time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from cluster.lab.lines import LineFile, LineReader


class LogLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One log line of a node."""

    at_utc: str
    """ISO 8601 with microseconds and `+00:00`, so that lines sort by their text."""
    level: str
    """debug, info, warning or error."""
    text: str
    node: str = ""
    """Which of the nodes of a process says it; empty: the process, and so each of them."""


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


def read_output(raw: bytes, now_utc: datetime, level: str) -> LogLine:
    """A line that a process wrote, without its end; `level` is for output that has none."""
    return decode(raw) or LogLine(utc_text(now_utc), level, raw.decode("utf-8", "replace").rstrip())


class LogFile:
    """Appends the log lines of a node.

    Lines for which the disk has no room are counted, and the count is logged when there is room again.
    """

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)
        self._lost = 0

    def write(self, line: LogLine) -> None:
        """Write one line."""
        if self._lost:
            text = f"{self._lost} log lines before this one were lost: the disk was full"
            if self._file.append(encode(LogLine(line.at_utc, "warning", text))):
                self._lost = 0
        if self._lost or not self._file.append(encode(line)):
            self._lost += 1

    def close(self) -> None:
        self._file.close()


class LogReader:
    """Reads one node's files from the beginning, and what is added to them on each further call."""

    def __init__(self, path: Path) -> None:
        self.node = path.stem
        self._lines = LineReader(path)
        self._at_utc = ""

    def read(self) -> list[LogLine]:
        """The complete lines since the last call."""
        return [self._line(raw) for raw in self._lines.read()]

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
