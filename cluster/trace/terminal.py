r"""Makes texts of others safe for a terminal: every command shows such texts by one of these functions.

A terminal takes C0 and C1 control characters as commands (ECMA-48), in UTF-8 also U+009B and U+009D: they could move
the cursor, change the title, or paste. Directional formatting (Unicode TR 36 section 2.5) makes a line read as another.
They are shown in Python's escapes, `\x9b` or `\u202e`. So are lone surrogates, which cannot be written, and U+FFFE
and U+FFFF, which no XML document has (XML 1.0 section 2.2).
"""

from __future__ import annotations

import re

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""All except the line feed and the tab."""


def safe(text: str) -> str:
    """For a text of several lines."""
    return _UNSAFE.sub(_escaped, text)


def safe_line(text: str) -> str:
    """For a text within a line: it cannot begin another line."""
    return safe(text).replace("\n", "\\n").replace("\t", "\\t")


def safe_indented(text: str, indent: str) -> str:
    """For a text after the beginning of a line: its further lines are indented, so that they cannot imitate lines of
    the command."""
    return safe(text).replace("\n", f"\n{indent}")


def safe_json(document: str) -> str:
    """For JSON, which escapes C0 only; it stays the same document."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
