"""The tokens of accounts in Redis: one hash for each account, by client."""

from __future__ import annotations

import msgspec

from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.pages import read_hash
from cluster.store.redis_replace import REPLACE
from cluster.store.tokens import ClientTokens

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ClientTokens).decode


class RedisTokens:
    """A `TokenStore`."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str) -> None:
        self._client = client
        self._keys = keys
        self._domain = domain

    async def get(self, localpart: str, agent: str) -> ClientTokens | None:
        """Those of a client, or None."""
        value = await self._client.execute("HGET", self._keys.tokens(self._domain, localpart), agent)
        return None if value is None else _decode(value)

    async def replace(self, localpart: str, agent: str, before: ClientTokens | None, after: ClientTokens) -> bool:
        """Store them if `before` is what is stored."""
        key = self._keys.tokens(self._domain, localpart)
        if before is None:
            return bool(await self._client.execute("HSETNX", key, agent, _encode(after)))
        return bool(await self._client.execute("EVAL", REPLACE, 1, key, agent, _encode(before), _encode(after)))

    async def remove(self, localpart: str, agent: str) -> None:
        """Forget those of a client."""
        await self._client.execute("HDEL", self._keys.tokens(self._domain, localpart), agent)

    async def of_account(self, localpart: str) -> dict[str, ClientTokens]:
        """Those of all its clients."""
        found = await read_hash(self._client, self._keys.tokens(self._domain, localpart))
        return {agent.decode(): _decode(value) for agent, value in found.items()}
