"""JID Escaping (XEP-0106): any address of a foreign network as the localpart of a JID, and back."""

from __future__ import annotations

import re

_CODES = "20|22|26|27|2f|3a|3c|3e|40|5c"
_TO_ESCAPE = re.compile(rf"\\(?={_CODES})|[ \"&'/:<>@]")
_ESCAPED = re.compile(rf"\\({_CODES})")


def escape(text: str) -> str:
    r"""`friar@abbey.example` as `friar\40abbey.example`.

    A backslash is escaped only if it would be read as the beginning of an escape (section 4.1, rule 7). Raises
    ValueError if a space would be first or last (rule 6).
    """
    if text.startswith(" ") or text.endswith(" "):
        raise ValueError(f"{text!r} begins or ends with a space, which no localpart may (XEP-0106 section 4.1)")
    return _TO_ESCAPE.sub(lambda found: f"\\{ord(found.group()):02x}", text)


def unescape(localpart: str) -> str:
    r"""`friar\40abbey.example` as `friar@abbey.example`; other backslashes stay (section 4.3)."""
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), localpart)
