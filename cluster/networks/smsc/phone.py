"""A phone (FC1): its received texts, in memory and, if wanted, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from cluster.networks.smsc.jsonlines import JsonLines
from cluster.protocols.smpp.concatenation import Joiner, MessageKey, Part

MAX_INBOX_BYTES = 16 << 20
"""Of the texts that one phone has received, with KEPT_BYTES for each; then it refuses more, and senders get a
receipt."""
KEPT_BYTES = 500
"""About the size of a message in memory besides its octets."""


class Received(msgspec.Struct, frozen=True):
    """One short message as it was received: a line of the phone's file."""

    message_id: str
    at_utc_s: float
    source: str
    data_coding: int
    part: Part
    trace_id: str = ""


class Text(msgspec.Struct, frozen=True):
    """A text as its reader sees it, with its parts joined."""

    at_utc_s: float
    """When its last part arrived, in seconds since the epoch."""
    from_: str = msgspec.field(name="from")
    text: str
    trace_id: str = ""


class Phone:
    """One subscriber. It is on unless somebody switches it off; then the message centre keeps its messages."""

    def __init__(self, number: str, name: str, file: Path | None) -> None:
        """`name`: of the lab node; `file`: JSON lines, created with the first message."""
        self.number = number
        self.name = name
        self.on = True
        self._file = JsonLines(file, Received)
        self._joiner = Joiner()
        self._known: set[str] = set()
        self._texts: list[Text] = []
        self._size_bytes = 0
        for received in self._file.read():
            self._add(received)

    @property
    def is_full(self) -> bool:
        """Whether it refuses more, until somebody empties its file and restarts the message centre."""
        return self._size_bytes >= MAX_INBOX_BYTES

    def receive(self, received: Received) -> None:
        """Store a message; a repetition, by its message_id, is not stored twice."""
        if received.message_id in self._known:
            return
        self._file.append(received)
        self._add(received)

    def inbox(self, now_utc_s: float) -> list[dict[str, Any]]:
        """All texts, oldest first, as JSON objects: at_utc_s, from, text, trace_id."""
        self._give_up(now_utc_s)
        return [msgspec.to_builtins(text) for text in self._texts]

    def _give_up(self, now_utc_s: float) -> None:
        """The incomplete long messages whose other parts did not arrive in time."""
        for key, words in self._joiner.expired(now_utc_s):
            self._texts.append(Text(now_utc_s, key.source, words))

    def _add(self, received: Received) -> None:
        self._known.add(received.message_id)
        self._size_bytes += len(received.part.octets) + KEPT_BYTES
        words = self._joiner.add(
            received.source, self.number, received.data_coding, received.part, received.at_utc_s
        )  # fmt: skip
        if words is not None:
            self._joiner.done(MessageKey(received.source, self.number, received.part.reference, received.part.total))
            self._texts.append(Text(received.at_utc_s, received.source, words, received.trace_id))
        elif self._joiner.is_full:
            self._give_up(received.at_utc_s)
