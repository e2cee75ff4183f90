"""The journal of a run: the hops of followed stanzas, and every stanza that a client received."""

from __future__ import annotations

from collections import deque
from hashlib import blake2b

import msgspec

from cluster.trace.hop import Event, Hop

MAX_LOST = 100_000
"""Maximum of the remembered ids of stanzas that faults lost."""


class Journal:
    """Hashes all that is recorded. The same topology, seed and options give the same digest."""

    def __init__(self, kept: int = 0) -> None:
        """`kept`: number of the latest hops that can be read."""
        self.hops: deque[Hop] = deque(maxlen=kept)
        self.lost: dict[str, Hop] = {}
        """By the ids of stanzas that faults of links lost."""
        self._digest = blake2b(digest_size=16)

    def append(self, hop: Hop) -> None:
        """Record a hop (`cluster.trace.hop.Journal`)."""
        self._digest.update(msgspec.json.encode(hop))
        self.hops.append(hop)
        if hop.event is Event.LOST and len(self.lost) < MAX_LOST:
            self.lost[hop.detail.partition(": ")[2]] = hop

    def received(self, at_ns: int, who: str, raw: bytes) -> None:
        """Record a stanza that a client received."""
        self._digest.update(b"%d %s " % (at_ns, who.encode()))
        self._digest.update(raw)

    @property
    def digest(self) -> str:
        """The hash of all records so far."""
        return self._digest.hexdigest()
