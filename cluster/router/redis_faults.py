"""The faults of the links into one domain, which commands may change in Redis at any time."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Clock
from cluster.base.storage import log_failed
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.router.link_faults import LinkFaults
from cluster.router.port import HopRecorder


class RedisFaults(LinkFaults):
    """Reads the faults after each new connection, and after each announced change."""

    _log = Logger()

    def __init__(
        self,
        reactor: Clock,
        client: RedisClient,
        keys: Keys,
        domain: str,
        tracer: HopRecorder,
        now_utc_s: Callable[[], float],
    ) -> None:
        super().__init__(reactor, domain, tracer, self._count_in_redis, now_utc_s)
        self._client = client
        self._key = keys.faults(domain)
        self._lost = keys.lost(domain)
        self._asked = 0

    async def start(self) -> None:
        """Read the faults, now and after changes; commands that are sent after this are answered after the faults are
        known."""
        await self._client.subscribe(self._key, lambda message: self._look_up(), self._look_up)
        self._client.when_connected(self._look_up, self._key)

    def are_known(self) -> bool:
        """Every announced change is known. Entries that are read after an announcement go through the new faults."""
        return not self._asked

    def _look_up(self) -> None:
        self._asked += 1
        self._client.execute("HGETALL", self._key).addCallbacks(self._on_known, self._on_failed)

    def _on_known(self, reply: dict[bytes, bytes]) -> None:
        self._asked -= 1
        self.update({from_.decode(errors="replace"): raw for from_, raw in reply.items()})

    def _on_failed(self, failure: Failure) -> None:
        self._asked -= 1
        log_failed(self._log, "Looking up the faults of the links", failure)

    def _count_in_redis(self, from_: str, number: int) -> None:
        self._client.post("HINCRBY", self._lost, from_, number)
