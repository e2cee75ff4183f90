"""How many stanzas of other servers' streams were handled, in Redis: a later process can resume those streams."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from typing_extensions import override

from cluster.base.clock import Clock
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.router.s2s.ports import RESUME_S, Counts
from cluster.xmpp.streams.servers.dialback import Pair

_RENEW_S = 60.0
_KEPT_S = int(RESUME_S + 2 * _RENEW_S)


class RedisCounts(Counts):
    """Counts that outlive the process. Each stream has a hash of three fields, which expires if it is not renewed."""

    def __init__(self, reactor: Clock, client: RedisClient, keys: Keys, domain: str) -> None:
        self._reactor = reactor
        self._client = client
        self._keys = keys
        self._domain = domain
        self._renewed_s: dict[str, float] = {}

    @override
    def note(self, id: str, pair: Pair, handled: int) -> Deferred[Any]:
        key = self._keys.stream(self._domain, id)
        noted = self._client.execute("HSET", key, "handled", handled, "from", pair.from_, "to", pair.to)
        now_s = self._reactor.seconds()
        if now_s - self._renewed_s.get(id, -_RENEW_S) >= _RENEW_S:
            self._renewed_s[id] = now_s
            self._client.post("EXPIRE", key, _KEPT_S)
        return noted

    @override
    async def find(self, id: str, pair: Pair) -> int | None:
        noted = await self._client.execute("HGETALL", self._keys.stream(self._domain, id))
        names = (noted.get(b"from"), noted.get(b"to"))
        return int(noted[b"handled"]) if names == (pair.from_.encode(), pair.to.encode()) else None

    @override
    def forget(self, id: str) -> None:
        self._renewed_s.pop(id, None)
        self._client.post("DEL", self._keys.stream(self._domain, id))
