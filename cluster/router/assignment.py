"""The links that a process reads: all of them, or its share if several nodes serve one domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class LinkAssignment(Protocol):
    """The links that this process reads, if several processes serve one domain."""

    def is_ours(self, link: str) -> bool:
        """Whether this process should read the link now."""

    async def take(self, link: str) -> bool:
        """Become its reader; False as long as another process is."""

    def give_back(self, link: str) -> None:
        """Stop being its reader."""

    def holds_lease(self) -> bool:
        """No other process can have become the reader of what this process reads; otherwise Redis has to be asked."""


class AllLinks:
    """All of the links."""

    def __init__(self, holds_lease: Callable[[], bool] = lambda: True) -> None:
        """`holds_lease`: as in `LinkAssignment`, if other nodes could fence this process."""
        self.holds_lease = holds_lease

    def is_ours(self, link: str) -> bool:
        """Always."""
        return True

    async def take(self, link: str) -> bool:
        """Always."""
        return True

    def give_back(self, link: str) -> None:
        """Nothing to do."""
