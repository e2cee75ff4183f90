"""Numbers in nobody's range, and the ESMEs that write from them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cluster.networks.smsc.jsonlines import JsonLines


class Sender(msgspec.Struct, frozen=True):
    """A line of the file."""

    number: str
    system_id: str


class Senders:
    """Stored in a file of JSON lines; without a path, in memory."""

    def __init__(self, path: Path | None) -> None:
        self._lines = JsonLines(path, Sender)
        self._known = {sender.number: sender.system_id for sender in self._lines.read()}

    def last(self, number: str) -> str:
        """The system_id of the ESME that wrote from the number last; empty if none did."""
        return self._known.get(number, "")

    def note(self, number: str, system_id: str) -> None:
        """Store that the ESME wrote from this number."""
        if self._known.get(number) != system_id:
            self._known[number] = system_id
            self._lines.append(Sender(number, system_id))
