"""The streams of other servers that may be resumed (XEP-0198 section 5)."""

from __future__ import annotations

from cluster.router.s2s.ports import RESUME_S, S2sPorts
from cluster.router.s2s.progress import Progress, Telling
from cluster.xmpp.streams.servers.dialback import Pair
from cluster.xmpp.streams.sm import StreamManagement

MAX_LEFT = 1_000
"""Broken streams that may still be resumed; one more ends the oldest of them."""


class ResumableStreams:
    """The progress of each stream, while it has a connection and for RESUME_S after a break."""

    def __init__(self, ports: S2sPorts) -> None:
        self.by_id: dict[str, Progress] = {}
        """Keys are SM-IDs."""
        self._ports = ports
        self._left: dict[str, None] = {}
        """Those without a connection, the oldest break first."""

    @property
    def is_noting(self) -> bool:
        """A count is on its way to the storage."""
        return any(progress.is_noting for progress in self.by_id.values())

    def attached(self, progress: Progress) -> None:
        """The stream has a connection: its first one, or a later one that resumes it."""
        id = progress.management.id
        self._left.pop(id, None)
        self.by_id[id] = progress

    def left(self, progress: Progress) -> None:
        """The connection of the stream is gone; the peer may resume it."""
        progress.connection = None
        progress.left_s = self._ports.clock.seconds()
        self._left[progress.management.id] = None
        if len(self._left) > MAX_LEFT:
            self.forget(next(iter(self._left)))

    async def find(self, id: str, pair: Pair, connection: Telling) -> Progress | None:
        """The stream of this pair, from this process or an earlier one; None if it cannot be resumed."""
        handled = None if id in self.by_id else await self._ports.counts.find(id, pair)
        known = self.by_id.get(id)  # perhaps since then, over another connection
        if known is not None:
            return known if known.pair == pair else None
        if handled is None:
            return None
        return Progress(StreamManagement(id, RESUME_S, handled), pair, self._ports, connection)

    def forget(self, id: str) -> None:
        """The stream cannot be resumed any more. Stanzas that become safe later are no longer counted."""
        self._left.pop(id, None)
        progress = self.by_id.pop(id, None)
        if progress is not None:
            progress.management.give_up()
            self._ports.counts.forget(id)

    def forget_old(self) -> None:
        """Forget the streams whose connection broke more than RESUME_S ago."""
        now_s = self._ports.clock.seconds()
        for id in [id for id in self._left if now_s - self.by_id[id].left_s > RESUME_S]:
            self.forget(id)
