"""The stanzas of an address while they are followed: which of them can be explained now. Pure, and bounded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cluster.trace.addresses import is_of
from cluster.trace.hop import Hop
from cluster.trace.why import outcome

PATIENCE_S = 2.0
"""A stanza is explained this time after its last hop, even if it has not arrived."""
MAX_UNDER_WAY = 1_000
"""Stanzas that are not explained yet; beyond it, the oldest is explained early."""
MAX_HOPS_OF_STANZA = 1_000
"""A stanza with more hops, such as one to a large room, is explained early."""


@dataclass
class _UnderWay:
    """A stanza that is not explained yet."""

    hops: list[Hop] = field(default_factory=list)
    seen_s: float = 0.0

    def is_due(self, now_s: float) -> bool:
        patience_s = PATIENCE_S if outcome(self.hops) in ("taken", "waits") else 0.0
        return now_s - self.seen_s > patience_s or len(self.hops) > MAX_HOPS_OF_STANZA


class Followed:
    """Collects the hops of each stanza from or to an address."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._under_way: dict[str, _UnderWay] = {}

    def take(self, hops: Iterable[Hop], now_s: float) -> list[list[Hop]]:
        """Note these hops; returns the hops of each stanza that has arrived, failed, or waits for long. Called about
        once a second, also without hops."""
        for hop in hops:
            if hop.trace_id in self._under_way or is_of(self._address, hop.from_) or is_of(self._address, hop.to):
                known = self._under_way.setdefault(hop.trace_id, _UnderWay())
                known.hops.append(hop)
                known.seen_s = now_s
        due = [id for id, known in self._under_way.items() if known.is_due(now_s)]
        found = [self._under_way.pop(id).hops for id in due]
        while len(self._under_way) > MAX_UNDER_WAY:
            found.append(self._under_way.pop(next(iter(self._under_way))).hops)
        return found
