"""The journal in Redis, as the servers write it: a capped stream."""

from __future__ import annotations

from collections import deque

import msgspec

from cluster.base.clock import Clock
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.trace.hop import MAX_JOURNAL_BYTES, Hop

MAX_ENTRIES = 100_000
"""Entries beyond this are removed, oldest first; an entry has the hops of one reactor turn of one node."""
MAX_HOPS = 64
"""Of one entry: some 64 KiB at the most."""
FIELD = "h"
"""The one field of an entry: a msgpack list of hops."""

_encode = msgspec.msgpack.Encoder().encode


class RedisJournal:
    """A `Journal`. While Redis is away or slow, hops are lost: they must never delay the stanzas."""

    def __init__(self, client: RedisClient, keys: Keys, reactor: Clock, max_bytes: int = MAX_JOURNAL_BYTES) -> None:
        """`max_bytes`: of this node's hops in the journal; if the node writes much, all nodes' oldest entries go."""
        self._client = client
        self._newest = _Newest(max_bytes)
        self._key = keys.journal
        self._reactor = reactor
        self._hops: list[Hop] = []

    def append(self, hop: Hop) -> None:
        """Write it at the end of this turn, together with the others of the turn."""
        if not self._hops:
            self._reactor.callLater(0, self.flush)
        self._hops.append(hop.cut())

    def flush(self) -> None:
        """Write the waiting hops now: for a server that stops."""
        hops, self._hops = self._hops, []
        if self._client.is_slow:
            return
        for first in range(0, len(hops), MAX_HOPS):
            entry = _encode(hops[first : first + MAX_HOPS])
            self._client.post("XADD", self._key, "MAXLEN", "~", self._newest.count_with(entry), "*", FIELD, entry)


class _Newest:
    """The number of newest entries to which the journal is trimmed, so that this node's hops fit."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._sizes: deque[int] = deque()
        self._size_bytes = 0
        self._is_full = False

    def count_with(self, entry: bytes) -> int:
        """Count one more entry."""
        self._sizes.append(len(entry))
        self._size_bytes += len(entry)
        while len(self._sizes) > 1 and (self._size_bytes > self._max_bytes or len(self._sizes) > MAX_ENTRIES):
            self._size_bytes -= self._sizes.popleft()
            self._is_full = True
        return len(self._sizes) if self._is_full else MAX_ENTRIES
