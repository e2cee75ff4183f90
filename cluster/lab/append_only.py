"""Repairs the append-only file of the lab's Redis: `python -m cluster.lab.append_only FOLDER`.

Redis itself repairs a file whose last command is incomplete. After a full disk or a crash of the machine the end may
have bytes that are not a command; Redis then refuses to start. They are cut off, and kept next to the file.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from cluster.lab.logs import LogLine, encode, utc_text

UNREADABLE = "Bad file format reading the append only file"
"""The message of Redis in that case, before it ends."""

_LINE_BYTES = 64
"""Longer than a length field."""


def readable_bytes(file: BinaryIO) -> int:
    """The length of the beginning that consists of whole commands (https://valkey.io/topics/protocol/), in the form in
    which clients send them.

    Comments may be between them, and a transaction counts when it is complete.
    """
    readable, is_open = 0, False
    while line := file.readline(_LINE_BYTES):
        if not line.startswith(b"#"):
            words = _command(line, file)
            if words is None:
                break
            is_open = words[:1] == [b"MULTI"] or (is_open and words[:1] != [b"EXEC"])
        elif not line.endswith(b"\n"):
            break
        if not is_open:
            readable = file.tell()
    return readable


def _command(line: bytes, file: BinaryIO) -> list[bytes] | None:
    """The words of a command whose first line was read; None if it is not a command."""
    words: list[bytes] = []
    count = _length(line, b"*")
    for _ in range(count or 0):
        size = _length(file.readline(_LINE_BYTES), b"$")
        if size is None:
            return None
        word = file.read(size + 2)
        if len(word) < size + 2 or not word.endswith(b"\r\n"):
            return None
        words.append(word[:-2].upper() if size < _LINE_BYTES else b"")
    return words or None


def _length(line: bytes, sign: bytes) -> int | None:
    digits = line[1:-2]
    return int(digits) if line.startswith(sign) and line.endswith(b"\r\n") and digits.isdigit() else None


def mend(data: Path) -> str:
    """Cut off the unreadable end of the last file in its folder; returns what was done, or why nothing was."""
    last = _last_file(data)
    if last is None:
        return f"no append-only file in {data}"
    with last.open("r+b") as file:
        readable, size = readable_bytes(file), os.fstat(file.fileno()).st_size
        if readable == size:
            return f"{last} is readable to its end"
        cut_off = _beside(last)
        file.seek(readable)
        with cut_off.open("xb") as kept:
            while part := file.read(1 << 20):
                kept.write(part)
            os.fsync(kept.fileno())
        file.truncate(readable)
        os.fsync(file.fileno())
    return (
        f"{last} was not readable after {readable} of its {size} bytes: the other {size - readable} were cut off, "
        f"and are kept in {cut_off}; what was written there is lost"
    )


def _last_file(data: Path) -> Path | None:
    """The file that Redis appends to, from its manifest: lines of `file NAME seq NUMBER type i`."""
    for manifest in data.glob("*/*.manifest"):
        lines = [line.split() for line in manifest.read_text().splitlines()]
        names = [line[1] for line in lines if line[0] == "file" and line[-1] == "i"]
        if names:
            return manifest.parent / names[-1].strip('"')
    return None


def _beside(file: Path) -> Path:
    number = 1
    while (path := file.with_name(f"{file.name}.cut-off-{number}")).exists():
        number += 1
    return path


def main() -> None:
    """Repair the file, and report it where Redis writes its log."""
    try:
        text = mend(Path(sys.argv[1]))
    except OSError as error:
        text = f"the append-only file could not be repaired: {error}"
    sys.stdout.buffer.write(encode(LogLine(utc_text(datetime.now(UTC)), "error", text)))


if __name__ == "__main__":
    main()
