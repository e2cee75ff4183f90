"""A file of JSON lines that is only appended to, and survives a crash in the middle of a line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


class JsonLines(Generic[T]):
    """Records of one type. Without a path, nothing is written."""

    def __init__(self, path: Path | None, type: type[T]) -> None:
        self._path = path
        self._type = type

    def read(self) -> list[T]:
        """All records, oldest first; a last line that was cut off is dropped, also from the file."""
        if self._path is None or not self._path.exists():
            return []
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            self._path.write_bytes(whole)
        return [msgspec.json.decode(line, type=self._type) for line in whole.splitlines()]

    def append(self, record: T) -> None:
        """Append one record."""
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(record) + b"\n")

    def replace(self, records: Iterable[T]) -> None:
        """Replace all records by these."""
        if self._path is not None:
            new = self._path.with_suffix(".new")
            new.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
            new.replace(self._path)
