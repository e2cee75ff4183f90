"""A bound on how often something may happen."""

from __future__ import annotations

from collections.abc import Callable

MAX_KEYS = 10_000
"""Keys that a limit distinguishes; beyond that, the key that was unused for longest is forgotten."""


class RateLimit:
    """A bucket of tokens for each key."""

    def __init__(self, per_s: float, seconds: Callable[[], float], at_once: float | None = None) -> None:
        """`per_s`: tokens that a bucket gains each second, 0 for no limit; `seconds`: a steady clock.

        `at_once`: tokens in a full bucket; by default a second's worth, at least one.
        """
        self._per_s = per_s
        self._full = max(per_s, 1.0) if at_once is None else at_once
        self._seconds = seconds
        self._buckets: dict[str, tuple[float, float]] = {}
        """Tokens, and the time of this number; the key used last is last."""

    @classmethod
    def per_minute(cls, count: int, seconds: Callable[[], float]) -> RateLimit:
        """A limit that allows a minute's worth at once; `count`: 0 for no limit."""
        return cls(count / 60, seconds, count)

    def take(self, key: str = "") -> bool:
        """Take a token of this key; False if its bucket is empty."""
        if not self._per_s:
            return True
        now_s = self._seconds()
        tokens, at_s = self._buckets.pop(key, (self._full, now_s))
        tokens = min(self._full, tokens + (now_s - at_s) * self._per_s)
        admitted = tokens >= 1
        self._buckets[key] = (tokens - admitted, now_s)
        if len(self._buckets) > MAX_KEYS:
            del self._buckets[next(iter(self._buckets))]
        return admitted
