"""Reads a hash of Redis in pages: no reply is much larger than a page, whatever the size of the hash."""

from __future__ import annotations

from cluster.redisio.client import RedisClient

PAGE_BYTES = 262_144
"""Size of one reply: a page ends with the value that exceeds it."""
_FIRST_FIELDS = 8
_PAGE_FIELDS = 250

_PAGE = """
local cursor, found = unpack(redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2]))
local fields, left, size = {}, {}, 0
for at = 1, #found, 2 do
  if size > tonumber(ARGV[3]) then
    left[#left + 1] = found[at]
  else
    fields[#fields + 1], fields[#fields + 2] = found[at], found[at + 1]
    size = size + #found[at + 1]
  end
end
return {cursor, fields, left}
"""
"""HSCAN counts fields, not bytes: the names of fields that do not fit are returned without their values."""


async def read_hash(client: RedisClient, key: str) -> dict[bytes, bytes]:
    """The whole hash, as HGETALL; fields that are written meanwhile may be missing. Fails as `RedisClient.execute`."""
    # most hashes have few fields, and a script costs more than the command
    cursor, fields = await client.execute("HSCAN", key, 0, "COUNT", _FIRST_FIELDS)
    found: dict[bytes, bytes] = dict(zip(fields[::2], fields[1::2], strict=True))
    while cursor != b"0":
        cursor, fields, left = await client.execute("EVAL", _PAGE, 1, key, cursor, _PAGE_FIELDS, PAGE_BYTES)
        found.update(zip(fields[::2], fields[1::2], strict=True))
        for name in left:
            value = await client.execute("HGET", key, name)
            if value is not None:  # it was deleted meanwhile
                found[name] = value
    return found
