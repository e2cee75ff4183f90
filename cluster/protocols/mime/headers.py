"""Header fields of composed mails (RFC 5322 section 2.2), written by hand.

The library's `EmailMessage` decodes encoded words in its input, and some of its versions then write the line ends that
were hidden in them: `=?utf-8?q?=0D=0ABcc:_x?=` as a subject becomes a separate header.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime

from cluster.protocols.mime.address import for_the_wire

_PLAIN = re.compile(r"[ -~]*")


def fields(pairs: Iterable[tuple[str, str]]) -> bytes:
    """The lines of header fields; the values come from the functions below, or are ASCII words."""
    return "".join(f"{name}: {value}\r\n" for name, value in pairs).encode()


def one_line(text: str) -> str:
    """The text without line ends and other control characters."""
    words = " ".join(text.split())
    return "".join(character for character in words if unicodedata.category(character)[0] != "C")


def text_value(text: str, name: str = "") -> str:
    """Any text, in encoded words (RFC 2047) if it needs them; `name` of the field counts for the line's length."""
    text = one_line(text)
    if _PLAIN.fullmatch(text) and "=?" not in text:
        return text
    return Header(text, "utf-8", header_name=name).encode(linesep="\r\n")


def address_value(address: str, shown: str = "") -> str:
    """An address (RFC 5322 section 3.4) with its display name; only a local part can be beyond ASCII."""
    shown = one_line(shown)
    wire = for_the_wire(address)
    if not shown or shown == address:
        return wire
    if _PLAIN.fullmatch(shown) and "=?" not in shown:
        escaped = re.sub(r'(["\\])', r"\\\1", shown)
        return f'"{escaped}" <{wire}>'
    return f"{text_value(shown)} <{wire}>"


def date_value(utc_s: float) -> str:
    """RFC 5322 section 3.3."""
    return format_datetime(datetime.fromtimestamp(int(utc_s), UTC))
