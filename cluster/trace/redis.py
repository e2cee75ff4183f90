"""The journal in Redis: one capped stream for the whole lab."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.trace.hop import Hop

MAX_ENTRIES = 100_000
"""About as many followed stanzas as a person could ever look at; some 100 MiB at the most."""
FIELD = "h"
"""The one field of an entry: a batch of hops."""


class RedisJournal:
    """A `Journal` of one node: the hops of one reactor turn become one entry."""

    def __init__(self, client: RedisClient, keys: Keys, reactor: Any) -> None:
        """`reactor` is an IReactorTime. Hops that Redis does not take are lost: a stanza never waits for them."""
        self._client = client
        self._key = keys.journal
        self._reactor = reactor
        self._waiting: list[Hop] = []

    def append(self, hop: Hop) -> None:
        """Write it down at the end of this turn."""
        if not self._waiting:
            self._reactor.callLater(0, self.flush)
        self._waiting.append(hop)

    def flush(self) -> None:
        """Write down what waits."""
        if self._waiting:
            batch, self._waiting = msgspec.json.encode(self._waiting), []
            self._client.post("XADD", self._key, "MAXLEN", "~", MAX_ENTRIES, "*", FIELD, batch)
