"""Times in the form of XMPP (XEP-0082 section 3.2: the DateTime profile)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


def to_text(utc_s: float) -> str:
    """Seconds since the epoch, to the millisecond: `2023-11-14T22:13:20.125Z`."""
    return datetime.fromtimestamp(utc_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rounded(utc_s: float) -> float:
    """Seconds since the epoch, to the millisecond, as `to_text` writes them."""
    return int(utc_s * 1000 + 0.5) / 1000


def parse(text: str) -> float:
    """Seconds since the epoch. Raises ValueError for a text that is not a DateTime."""
    if not _DATE_TIME.fullmatch(text):
        raise ValueError(f"{text!r} is not a time like 2023-11-14T22:13:20Z (XEP-0082)")
    return datetime.fromisoformat(text).timestamp()
