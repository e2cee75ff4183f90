"""What was said while a scenario ran: the stanzas of its clients, and what the servers logged."""

from __future__ import annotations

import time
from collections import deque
from datetime import datetime
from typing import Literal

import msgspec

MAX_FIRST, MAX_LAST = 20, 30
"""Lines that are kept of an exchange: those at its beginning, and those at its end."""
MAX_CHARACTERS = 600
"""Of one line."""

Kind = Literal["sent", "received", "logged"]


class Line(msgspec.Struct, frozen=True):
    """One stanza, or one line of a log."""

    at_s: float
    """Since the beginning of the scenario."""
    who: str
    """The client's full JID, a node of the lab, or the domain of a server that the scenario plays."""
    kind: Kind
    text: str


class Exchange:
    """Collects lines; of a long exchange it keeps both ends. Threads may write to it."""

    def __init__(self) -> None:
        self._begun_s = time.monotonic()
        self._begun_utc_s = time.time()
        self._first: list[Line] = []
        self._last: deque[Line] = deque(maxlen=MAX_LAST)
        self._count = 0

    def note(self, who: object, kind: Kind, text: str, at_s: float | None = None) -> None:
        """Add a line; `at_s` is now by default."""
        at_s = time.monotonic() - self._begun_s if at_s is None else at_s
        cut = text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}… ({len(text):,} characters)"
        line = Line(round(at_s, 3), str(who), kind, cut)
        self._count += 1
        if len(self._first) < MAX_FIRST:
            self._first.append(line)
        else:
            self._last.append(line)

    def logged(self, node: str, at_utc: str, text: str) -> None:
        """Add a line of a node's log."""
        self.note(node, "logged", text, datetime.fromisoformat(at_utc).timestamp() - self._begun_utc_s)

    @property
    def lines(self) -> tuple[Line, ...]:
        """By time; in place of what is not kept stands how much that is."""
        kept = [*self._first, *self._last]
        if left := self._count - len(kept):
            middle = self._last[0].at_s
            kept.append(Line(middle, "", "logged", f"{left:,} lines between these are left out"))
        return tuple(sorted(kept, key=lambda line: (line.at_s, line.who != "")))
