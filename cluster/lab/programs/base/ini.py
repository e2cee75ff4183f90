"""Files of sections with `key=value` lines, as GLib (GKeyFile) and Qt (QSettings) write them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from configparser import RawConfigParser
from pathlib import Path

from cluster.lab.private import write_private


def merge(path: Path, section: str, values: Mapping[str, str]) -> None:
    """Set these keys of a section, and keep all others of the file. The values are written as they are."""
    file = RawConfigParser(delimiters=("=",), comment_prefixes=("#",), strict=False, default_section="")
    file.optionxform = str  # type: ignore[assignment, method-assign]  # keys differ in case
    if path.exists():
        file.read_string(path.read_text())
    if not file.has_section(section):
        file.add_section(section)
    for key, value in values.items():
        file.set(section, key, value)
    written = io.StringIO()
    file.write(written, space_around_delimiters=False)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, written.getvalue().encode())


def glib_text(text: str) -> str:
    """A text as a value of a GKeyFile."""
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return "\\s" + escaped[1:] if escaped.startswith(" ") else escaped


def qt_text(text: str) -> str:
    """A text as a value of a QSettings file: in quotes, and all that is not ASCII as `\\x` and its UTF-16 code."""
    special = {0x22: '\\"', 0x5C: "\\\\"}
    return '"' + "".join(special.get(c, chr(c) if 0x20 <= c < 0x7F else f"\\x{c:x}") for c in utf16(text)) + '"'


def utf16(text: str) -> list[int]:
    """The codes of a text as Qt has it."""
    units = text.encode("utf-16-be")
    return [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
