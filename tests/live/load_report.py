"""What `xmpplab load --format json` prints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass
class Report:
    measured: list[dict[str, Any]]
    failures: list[dict[str, Any]]

    def count(self, row: str) -> int:
        """Of the row of this name, or of all that begin with this word."""
        return sum(each["count"] for each in self.measured if each["name"] == row or each["name"].startswith(f"{row} "))


def load_report(printed: str) -> Report:
    """The document at the beginning of what was printed; warnings come after it."""
    document, _ = json.JSONDecoder().raw_decode(printed)
    return Report(document["measured"], document["failures"])
