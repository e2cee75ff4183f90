"""Messages that wait for an account, in Redis: a list for each account, bounded by scripts."""

from __future__ import annotations

import msgspec

from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.pages import PAGE_BYTES
from cluster.store.limits import DEFAULTS, Limit
from cluster.store.port import PAGE_MESSAGES, OfflineMessage

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(OfflineMessage).decode

_PUSH_BELOW_LIMIT = """
local known = redis.call('HGET', KEYS[2], ARGV[1])
local size = known
if not size then
  size = 0
  for _, each in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do size = size + #each end
end
size = size + #ARGV[2]
local total = redis.call('HGET', KEYS[2], '')
if not total then
  total = 0
  local sizes = redis.call('HGETALL', KEYS[2])
  for at = 2, #sizes, 2 do total = total + sizes[at] end
end
total = total + size - (known or 0)
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[3]) or size > tonumber(ARGV[4]) or total > tonumber(ARGV[5]) then
  return 0
end
redis.call(ARGV[6], KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], size, '', total)
return 1
"""
"""For a list and the hash of such lists' sizes, with their sum under an empty name.

A list without a size is empty or older than the hash; without a sum, nothing waits or the hash is older than the sum.
"""

_DROP = """
local dropped = 0
for _, each in ipairs(redis.call('LRANGE', KEYS[1], 0, ARGV[2] - 1)) do dropped = dropped + #each end
redis.call('LTRIM', KEYS[1], ARGV[2], -1)
local known = redis.call('HGET', KEYS[2], ARGV[1])
if not known then return end
if redis.call('LLEN', KEYS[1]) == 0 then
  redis.call('HDEL', KEYS[2], ARGV[1])
  dropped = known
else
  redis.call('HINCRBY', KEYS[2], ARGV[1], -dropped)
end
if redis.call('HEXISTS', KEYS[2], '') == 1 and redis.call('HINCRBY', KEYS[2], '', -dropped) <= 0 then
  redis.call('HDEL', KEYS[2], '')
end
"""
"""Removes the beginning of such a list."""

_PAGE = """
local page, size = {}, 0
for place = 0, ARGV[1] - 1 do
  local each = redis.call('LRANGE', KEYS[1], place, place)[1]
  if not each or size > tonumber(ARGV[2]) then break end
  page[#page + 1], size = each, size + #each
end
return page
"""
"""The beginning of a list, by bytes, which no command counts."""


class RedisOffline:
    """An `OfflineStore`: one list for each account, and a hash of their sizes."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str) -> None:
        self._client = client
        self._keys = keys
        self._domain = domain
        self._sizes = keys.offline_bytes(domain)

    async def push(
        self,
        localpart: str,
        message: OfflineMessage,
        limit: Limit,
        total_bytes: int = DEFAULTS.offline_total_bytes,
        *,
        first: bool = False,
    ) -> bool:
        """Store it unless that exceeds a limit; False then. `first`: as the oldest."""
        key, push = self._keys.offline(self._domain, localpart), "LPUSH" if first else "RPUSH"
        script = "EVAL", _PUSH_BELOW_LIMIT, 2, key, self._sizes, localpart
        bounds = limit.count, limit.size_bytes, total_bytes
        return bool(await self._client.execute(*script, _encode(message), *bounds, push))

    async def page(self, localpart: str) -> list[OfflineMessage]:
        """The oldest waiting messages."""
        key = self._keys.offline(self._domain, localpart)
        if not await self._client.execute("LLEN", key):  # the usual case, and a script costs more than the command
            return []
        page = await self._client.execute("EVAL", _PAGE, 1, key, PAGE_MESSAGES, PAGE_BYTES)
        return [_decode(value) for value in page]

    async def drop(self, localpart: str, count: int) -> None:
        """Remove the oldest `count`."""
        key = self._keys.offline(self._domain, localpart)
        await self._client.execute("EVAL", _DROP, 2, key, self._sizes, localpart, count)
