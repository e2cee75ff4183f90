"""A set of texts with a bound: beyond it, what was added first is forgotten."""

from __future__ import annotations


class Recent:
    """What was added last."""

    def __init__(self, most: int) -> None:
        """`most`: how many are kept."""
        self._most = most
        self._kept: dict[str, None] = {}

    def __contains__(self, text: object) -> bool:
        return text in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, text: str) -> None:
        """Keep it, as the newest."""
        self._kept.pop(text, None)
        self._kept[text] = None
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def discard(self, text: str) -> None:
        """Forget it."""
        self._kept.pop(text, None)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
