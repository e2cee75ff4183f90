"""The journal in Redis, as the servers write it: a capped stream."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.trace.hop import Hop

MAX_ENTRIES = 100_000
"""Oldest first, entries beyond this are forgotten; an entry holds the hops of one reactor turn of one node."""
FIELD = "h"
"""The one field of an entry: a msgpack list of hops."""

_encode = msgspec.msgpack.Encoder().encode


class RedisJournal:
    """A `Journal`. While Redis is away or slow hops are lost: they must never hold up the stanzas that they tell of."""

    def __init__(self, client: RedisClient, keys: Keys, reactor: Any) -> None:
        self._client = client
        self._key = keys.journal
        self._reactor = reactor
        self._hops: list[Hop] = []

    def append(self, hop: Hop) -> None:
        """Write it at the end of this turn, together with the others of the turn."""
        if not self._hops:
            self._reactor.callLater(0, self.flush)
        self._hops.append(hop)

    def flush(self) -> None:
        """Write now what waits for the end of the turn: for a server that stops."""
        hops, self._hops = self._hops, []
        if hops and not self._client.is_slow:
            self._client.post("XADD", self._key, "MAXLEN", "~", MAX_ENTRIES, "*", FIELD, _encode(hops))
