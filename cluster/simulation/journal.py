"""What is recorded of a run: the hops of the stanzas that are followed, and all that anybody received."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from cluster.trace.hop import Event, Hop

MAX_LOST = 100_000
"""Stanzas of which it is remembered that a fault lost them."""


class Journal:
    """Its digest is the same for the same topology, seed and options: it is never kept whole."""

    def __init__(self) -> None:
        self.lost: dict[str, None] = {}
        """Ids of stanzas that the faults of links lost, in order."""
        self._digest = blake2b(digest_size=16)

    def append(self, hop: Hop) -> None:
        """One hop, as nodes write it (`cluster.trace.hop.Journal`)."""
        self._digest.update(msgspec.json.encode(hop))
        if hop.event is Event.LOST and len(self.lost) < MAX_LOST:
            self.lost[hop.detail.partition(": ")[2]] = None

    def received(self, at_ns: int, who: str, raw: bytes) -> None:
        """What somebody's client got, byte for byte."""
        self._digest.update(b"%d %s " % (at_ns, who.encode()))
        self._digest.update(raw)

    @property
    def digest(self) -> str:
        """Of all so far."""
        return self._digest.hexdigest()
