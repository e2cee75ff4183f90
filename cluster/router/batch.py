"""The stanzas of one entry of a link."""

from __future__ import annotations

from cluster.base.pipelined import PipelinedReply
from cluster.xmpp.copies import Copies
from cluster.xmpp.stanza import Stanza

MAX_BATCH_BYTES = 1 << 19
"""Keeps an entry far below what a reader has in memory at once, which is many entries (READ_COUNT, MAX_UNSETTLED). It
counts STANZA_BYTES for each stanza besides its bytes."""


class Batch:
    """Stanzas that cross as one entry and settle together."""

    __slots__ = ("entry", "ids", "is_marks", "items", "resent", "settled", "size_bytes")

    def __init__(self) -> None:
        self.items: list[Stanza | Copies] = []
        self.size_bytes = 0
        self.settled = PipelinedReply()
        self.settled.is_sent = False
        self.ids: tuple[str, ...] = ()
        """Of the previous entry, and its own."""
        self.entry = b""
        self.resent = False
        self.is_marks = False
        """It has no items: see `fence`."""
