"""What crosses a link as one entry."""

from __future__ import annotations

from cluster.base.pipelined import PipelinedReply
from cluster.xmpp.stanza import Stanza

MAX_BATCH_BYTES = 1 << 19
"""Keeps one entry within what a reader wants to take at once: it holds many (READ_COUNT, MAX_UNSETTLED). It counts
STANZA_BYTES for each stanza beside its own bytes."""


class Batch:
    """Stanzas that cross as one entry and settle together."""

    __slots__ = ("entry", "ids", "is_marks", "resent", "settled", "size_bytes", "stanzas")

    def __init__(self) -> None:
        self.stanzas: list[Stanza] = []
        self.size_bytes = 0
        self.settled = PipelinedReply()
        self.settled.is_sent = False
        self.ids: tuple[str, ...] = ()
        """Of the entry before, and of its own."""
        self.entry = b""
        self.resent = False
        self.is_marks = False
        """There are no stanzas: see `fence`."""
