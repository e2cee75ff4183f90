"""An offline storage that takes its time."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from cluster.store.limits import Limit
from cluster.store.memory import MemoryOffline
from cluster.store.port import OfflineMessage


class WaitingOffline(MemoryOffline):
    """Keeps messages only when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Deferred[None]] = []
        self.kept = 0

    async def push(
        self, localpart: str, message: OfflineMessage, limit: Limit, total_bytes: int = 1 << 30, *, first: bool = False
    ) -> bool:
        self.waiting.append(Deferred())
        await self.waiting[-1]
        self.kept += 1
        return await super().push(localpart, message, limit, total_bytes, first=first)
