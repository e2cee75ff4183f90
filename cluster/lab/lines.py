"""Files to which lines are added, and which do not grow without end: a long one replaces the file before it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

MAX_FILE_BYTES = 8 << 20
"""Of one file; it then replaces the previous one, so both together take twice this on disk."""


def earlier(path: Path) -> Path:
    """The path of the previous file."""
    return path.with_name(f"{path.name}.1")


class LineFile:
    """Appends lines. Only one process may have the file open with this."""

    def __init__(self, path: Path, max_bytes: int | None = None) -> None:
        """`max_bytes`: of one file; None: MAX_FILE_BYTES. Raises OSError."""
        self._path = path
        self._max_bytes = MAX_FILE_BYTES if max_bytes is None else max_bytes
        self._file: BinaryIO
        self._open()

    def _open(self) -> None:
        self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115  # closed by close()
        self._path.chmod(0o600)

    def append(self, line: bytes) -> bool:
        """Write a line with its end. False if it was not written, as on a full disk; then no part of it was."""
        end = self._file.seek(0, os.SEEK_END)
        try:
            if end + len(line) > self._max_bytes:
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
        """Close the file."""
        self._file.close()


class LineReader:
    """Reads both files from the beginning, and what is added to them on each further call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._inode = 0
        """Of the file that was read last."""

    def read(self) -> list[bytes]:
        """The complete lines since the last call, without their ends."""
        return [line for path in (earlier(self._path), self._path) for line in self._read(path)]

    def _read(self, path: Path) -> list[bytes]:
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
        return complete.splitlines()
