"""How often something may happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable


class RateLimit:
    """So many times in a minute, for each key."""

    def __init__(self, per_minute: int, seconds: Callable[[], float]) -> None:
        """`per_minute`: 0 for any number; `seconds` is a clock that runs steadily."""
        self._per_minute = per_minute
        self._seconds = seconds
        self._minute = 0
        self._taken: Counter[str] = Counter()

    def take(self, key: str) -> bool:
        """Once more; False where that is too often. Keeps nothing of earlier minutes."""
        minute = int(self._seconds() // 60)
        if minute != self._minute:
            self._minute = minute
            self._taken.clear()
        self._taken[key] += 1
        return not self._per_minute or self._taken[key] <= self._per_minute
