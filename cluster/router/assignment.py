"""Which links a process reads: all of them, or its share where several nodes serve one domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class LinkAssignment(Protocol):
    """Which links this process reads, where several serve one domain."""

    def is_ours(self, link: str) -> bool:
        """It is this process that should read the link, as things are now."""

    async def take(self, link: str) -> bool:
        """Become its reader; False as long as there is another one."""

    def give_back(self, link: str) -> None:
        """Be its reader no more."""

    def holds_lease(self) -> bool:
        """Nobody else can have become the reader of what this process reads; else Redis has to be asked."""


class AllLinks:
    """All of the links."""

    def __init__(self, holds_lease: Callable[[], bool] = lambda: True) -> None:
        """`holds_lease`: as in `LinkAssignment`, where others could take this process for dead."""
        self.holds_lease = holds_lease

    def is_ours(self, link: str) -> bool:
        """Always."""
        return True

    async def take(self, link: str) -> bool:
        """Always."""
        return True

    def give_back(self, link: str) -> None:
        """Nobody else wants it."""
