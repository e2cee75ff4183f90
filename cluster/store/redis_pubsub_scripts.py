"""What happens in Redis to the items of one node, or of several: see redis_pubsub.py for the keys."""

from __future__ import annotations

_FORGET = """
local function forget(ids)
  local freed = 0
  for _, id in ipairs(ids) do
    freed = freed + redis.call('HSTRLEN', KEYS[2], id) + #id
    redis.call('HDEL', KEYS[2], id)
    redis.call('ZREM', KEYS[1], id)
  end
  if freed > 0 then
    redis.call('HINCRBY', KEYS[3], ARGV[1], -freed)
    redis.call('HINCRBY', KEYS[3], '', -freed)
  end
end
local function forget_expired(before)
  if tonumber(before) > 0 then forget(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. before)) end
end
"""
"""Keys: the sorted set, the items, the sizes; the first argument is the name of the node."""

PUBLISH = (
    _FORGET
    + """
forget_expired(ARGV[7])
local id, value, at, max = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local newest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if newest[2] and at <= tonumber(newest[2]) then at = tonumber(newest[2]) + 1 end
local before = redis.call('HSTRLEN', KEYS[2], id)
local is_new, count = before == 0, redis.call('ZCARD', KEYS[1])
if is_new and count >= max and ARGV[8] == '1' then return {'node full'} end
local others = is_new and count or count - 1
local removed, freed = {}, is_new and 0 or before + #id
for _, other in ipairs(redis.call('ZRANGE', KEYS[1], 0, math.max(0, others + 1 - max))) do
  if other ~= id and #removed < others + 1 - max then
    removed[#removed + 1] = other
    freed = freed + redis.call('HSTRLEN', KEYS[2], other) + #other
  end
end
if #value > before then
  local total = #value + #id - freed + (redis.call('HGET', KEYS[3], '') or 0)
  if total > tonumber(ARGV[6]) then return {'too much'} end
end
forget(removed)
if not is_new then forget({id}) end
redis.call('HSET', KEYS[2], id, value)
redis.call('ZADD', KEYS[1], string.format('%.0f', at), id)
redis.call('HINCRBY', KEYS[3], ARGV[1], #value + #id)
redis.call('HINCRBY', KEYS[3], '', #value + #id)
return {'kept', string.format('%.0f', at), unpack(removed)}
"""
)
"""Arguments: node, id, item, time, how many at the most, how many bytes of all nodes, expired before, 1 where a full
node rejects."""

RETRACT = _FORGET + "if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return 0 end; forget({ARGV[2]}); return 1"

TRIM = (
    _FORGET
    + """
forget_expired(ARGV[3])
local left = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[2])
if left > 0 then forget(redis.call('ZRANGE', KEYS[1], 0, left - 1)) end
"""
)

PURGE = """
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HINCRBY', KEYS[3], '', -(redis.call('HGET', KEYS[3], ARGV[1]) or 0))
redis.call('HDEL', KEYS[3], ARGV[1])
"""

DELETE = f"""{PURGE}
for at = 2, #ARGV do redis.call('HDEL', KEYS[4], ARGV[at]) end
"""

_READ = """
local found, size = {}, 0
local function add(id)
  local value = redis.call('HGET', KEYS[2], id)
  if not value then return true end
  size = size + #value
  if #found > 0 and size > max_bytes then return false end
  found[#found + 1], found[#found + 2], found[#found + 3] = id, redis.call('ZSCORE', KEYS[1], id), value
  return true
end
"""
"""Items with their ids and times, while they fit into `max_bytes`, which each script sets before."""

PAGE = (
    _FORGET
    + "local max_bytes = tonumber(ARGV[6])\n"
    + _READ
    + """
forget_expired(ARGV[2])
local count = redis.call('ZCARD', KEYS[1])
local first, last = 0, count
if ARGV[4] ~= '' then
  local rank = redis.call('ZRANK', KEYS[1], ARGV[4])
  if not rank then return {'unknown', ARGV[4]} end
  first = rank + 1
end
if ARGV[5] ~= '' and ARGV[5] ~= '-' then
  last = redis.call('ZRANK', KEYS[1], string.sub(ARGV[5], 2))
  if not last then return {'unknown', string.sub(ARGV[5], 2)} end
end
local max = tonumber(ARGV[3])
if ARGV[5] == '' then
  last = math.min(last, first + max)
else
  first = math.max(first, last - max)
end
local ids = last > first and redis.call('ZRANGE', KEYS[1], first, last - 1) or {}
if ARGV[5] == '' then
  for _, id in ipairs(ids) do if not add(id) then break end end
else
  for at = #ids, 1, -1 do if not add(ids[at]) then break end end
  first = last - #found / 3
end
return {'page', count, first, unpack(found)}
"""
)
"""Arguments: node, expired before, how many, after which, before which (`-` and the id, or nothing), bytes."""

FIND = (
    _FORGET
    + "local max_bytes = tonumber(ARGV[3])\n"
    + _READ
    + """
forget_expired(ARGV[2])
for at = 4, #ARGV do if not add(ARGV[at]) then break end end
return found
"""
)

NEWEST = """
local found = {}
for at = 1, #KEYS, 2 do
  local newest = redis.call('ZRANGE', KEYS[at], -1, -1, 'WITHSCORES')
  found[#found + 1] = newest[1] and {newest[1], newest[2], redis.call('HGET', KEYS[at + 1], newest[1])} or {}
end
return found
"""
