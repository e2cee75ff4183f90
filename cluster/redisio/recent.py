"""Values that a gateway remembers for a while, by keys: a hash for each period, which Redis forgets after the next
one."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from cluster.redisio.client import RedisClient

MAX_ENTRIES = 250_000
"""Of one hash: some 50 MiB. A full one replaces the previous one, so that the oldest values are forgotten early."""


class RecentValues:
    """Values by their keys, forgotten after one to two periods. Fails with ConnectionLost while Redis is away."""

    def __init__(
        self,
        client: RedisClient,
        key: str,
        period_s: int,
        now_utc_s: Callable[[], float],
        max_entries: int = MAX_ENTRIES,
    ) -> None:
        self._client = client
        self._key = key
        self._period_s = period_s
        self._now_utc_s = now_utc_s
        self._max_entries = max_entries

    async def put(self, key: str, value: bytes) -> None:
        """Store the value."""
        table, table_before, _ = self._tables()
        written = self._client.execute("HSET", table, key, value)
        self._client.post("EXPIRE", table, 2 * self._period_s)
        size: Deferred[int] = self._client.execute("HLEN", table).addErrback(_unknown)
        await written
        if await size >= self._max_entries:
            self._client.post("RENAME", table, table_before)

    async def get(self, key: str) -> bytes | None:
        """The value; None if it is unknown or forgotten."""
        for table in self._tables():
            value: bytes | None = await self._client.execute("HGET", table, key)
            if value is not None:
                return value
        return None

    def _tables(self) -> tuple[str, str, str]:
        """Of this period, the one before, and the next one, in which values were stored if the clock was set back."""
        period = int(self._now_utc_s() // self._period_s)
        return f"{self._key}-{period}", f"{self._key}-{period - 1}", f"{self._key}-{period + 1}"


def _unknown(failure: Failure) -> int:
    """The connection is lost, and what was written fails with it; the next value that is stored asks again."""
    failure.trap(ConnectionLost)
    return 0
