"""The stanzas from one domain to another, kept until the peer has them; within bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from twisted.internet.defer import Deferred

from cluster.base import reasons
from cluster.router.batch import MAX_BATCH_BYTES
from cluster.router.port import STANZA_BYTES
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza

MAX_WAITING_BYTES = 64 << 20
"""The stanzas that one pair may hold in memory, waiting or unacknowledged."""
MAX_TOTAL_BYTES = 256 << 20
"""The stanzas that all pairs of a server may hold together."""


class Held:
    """What all pairs of a server hold together."""

    size_bytes = 0


class Batch:
    """Stanzas that are written together and settle together."""

    __slots__ = ("settled", "size_bytes", "stanzas")

    def __init__(self) -> None:
        self.stanzas: deque[Stanza] = deque()
        """Those that the peer has not acknowledged."""
        self.size_bytes = 0
        self.settled: Deferred[None] = Deferred()


class PairQueue:
    """The batches of one pair: those that wait for a stream, and those that are written and not acknowledged."""

    def __init__(self, to_domain: str, held: Held, max_backlog: int) -> None:
        self._to = to_domain
        self._held = held
        self._max_backlog = max_backlog
        self._waiting: deque[Batch] = deque()
        self._written: deque[Batch] = deque()
        self.count = 0
        self._size_bytes = 0

    @property
    def is_busy(self) -> bool:
        """Some stanza is not acknowledged, or not written."""
        return bool(self._waiting or self._written)

    def why_full(self, stanza: Stanza) -> StanzaError | None:
        """Why the stanza cannot be kept; None if it can."""
        size_bytes = len(stanza.raw) + STANZA_BYTES
        if self.count >= self._max_backlog or self._size_bytes + size_bytes > MAX_WAITING_BYTES:
            text = f"{self.count} stanzas wait for {self._to}"
            return StanzaError(Condition.REMOTE_SERVER_TIMEOUT, text, reason=reasons.LINK_FULL)
        if self._held.size_bytes + size_bytes > MAX_TOTAL_BYTES:
            text = "too much waits for other domains"
            return StanzaError(Condition.RESOURCE_CONSTRAINT, text, reason=reasons.LINKS_FULL)
        return None

    def put(self, stanza: Stanza) -> Batch:
        """Keep the stanza, in the batch that is returned."""
        size_bytes = len(stanza.raw) + STANZA_BYTES
        self.count += 1
        self._size_bytes += size_bytes
        self._held.size_bytes += size_bytes
        waiting = self._waiting
        if not waiting or (batch := waiting[-1]).size_bytes + size_bytes > MAX_BATCH_BYTES:
            batch = Batch()
            waiting.append(batch)
        batch.stanzas.append(stanza)
        batch.size_bytes += size_bytes
        return batch

    def next(self) -> Batch | None:
        """The next batch to write; it is to be settled, or given to `await_acknowledgement`."""
        return self._waiting.popleft() if self._waiting else None

    def await_acknowledgement(self, batch: Batch) -> None:
        """The batch is being written to a peer that will acknowledge it."""
        self._written.append(batch)

    def acknowledged(self, count: int) -> list[Stanza]:
        """Forget the `count` oldest written stanzas, and return those that are followed; a batch settles with its last
        one."""
        followed: list[Stanza] = []
        written = self._written
        while count:
            batch = written[0]
            stanzas = batch.stanzas
            for _ in range(min(count, len(stanzas))):
                stanza = stanzas.popleft()
                self.free(stanza)
                if stanza.trace_id:
                    followed.append(stanza)
                count -= 1
            if not stanzas:
                self.settle(written.popleft())
        return followed

    def take_back(self) -> None:
        """Queue again, before all else, what was written over a stream that cannot be resumed."""
        self._waiting.extendleft(reversed(self._written))
        self._written.clear()

    def settle(self, batch: Batch) -> None:
        """Forget the batch: its stanzas have arrived, as far as this side can know."""
        for stanza in batch.stanzas:
            self.free(stanza)
        if not batch.settled.called:
            batch.settled.callback(None)

    def settle_unacknowledged(self) -> None:
        """Let nobody wait for these batches any longer; they are kept."""
        for batch in [*self._written, *self._waiting]:
            if not batch.settled.called:
                batch.settled.callback(None)

    def take_all(self) -> Iterator[Stanza]:
        """Give up all stanzas, one after the other; each batch settles after its last one."""
        taken = [*self._written, *self._waiting]
        self._written.clear()
        self._waiting.clear()
        for batch in taken:
            while batch.stanzas:
                stanza = batch.stanzas.popleft()
                self.free(stanza)
                yield stanza
            self.settle(batch)

    def free(self, stanza: Stanza) -> None:
        """The stanza takes no room any more."""
        size_bytes = len(stanza.raw) + STANZA_BYTES
        self.count -= 1
        self._size_bytes -= size_bytes
        self._held.size_bytes -= size_bytes
