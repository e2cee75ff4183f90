"""How fast each host may send mail."""

from __future__ import annotations

MAX_PEERS = 10_000
"""Hosts that are told apart; those whose second is over are forgotten first."""


class Rate:
    """A bucket of tokens for each peer; a second's worth may come at once."""

    def __init__(self, max_per_s: float) -> None:
        self._max_per_s = max_per_s
        self._full = max(max_per_s, 1.0)
        self._buckets: dict[str, tuple[float, float]] = {}
        """Tokens, and when there were so many; who came last is last."""

    def admits(self, peer: str, now_s: float) -> bool:
        """Take one more from this host?"""
        tokens, at_s = self._buckets.pop(peer, (self._full, now_s))
        tokens = min(self._full, tokens + (now_s - at_s) * self._max_per_s)
        admitted = tokens >= 1
        self._buckets[peer] = (tokens - admitted, now_s)
        if len(self._buckets) > MAX_PEERS:
            del self._buckets[next(iter(self._buckets))]
        return admitted
