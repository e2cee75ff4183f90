"""Any text as a word that mail programs do not change: quoted-printable (RFC 2045 section 6.7) that is also a
dot-atom."""

from __future__ import annotations

import re

_UNSAFE = re.compile(rb"[^a-zA-Z0-9._+-]")
_CODE = re.compile(rb"=([0-9a-fA-F]{2})")


def quote(text: str) -> str:
    """`romeo@montague.lit` as `romeo=40montague.lit`."""
    word = _UNSAFE.sub(lambda found: b"=%02X" % found.group()[0], text.encode()).decode()
    if word.startswith(".") or word.endswith(".") or ".." in word:
        return word.replace(".", "=2E")
    return word


def unquote(word: str) -> str:
    """The text of such a word. Raises ValueError for others."""
    return _CODE.sub(lambda found: bytes([int(found.group(1), 16)]), word.encode()).decode()
