"""How Redis writes one entry of a link, and announces it to the reader."""

from __future__ import annotations

CARRIED_BYTES = 1 << 16
CARRIED_BACKLOG = 64
CARRIED_BACKLOG_BYTES = 1 << 18
"""An entry is announced with its bytes if it has no more than so many, no more than so many entries are in front of it,
and those would take no more than so many bytes if they were of its size. Else Redis would keep what a slow reader does
not take twice, and end its connection beyond client-output-buffer-limit. So one link owes it less than 1 MiB. The
reader reads the others."""
FIELD = "b"
"""The one field of an entry: its batch, or marks (fence.py)."""

# key: the link; arguments: id of the entry before, id of this one, its batch; bell of its reader, who rings it
WRITE = f"""
local carried = ''
if #ARGV[3] <= {CARRIED_BYTES} then
  local waiting = redis.call('XLEN', KEYS[1])
  if waiting <= {CARRIED_BACKLOG} and waiting * #ARGV[3] <= {CARRIED_BACKLOG_BYTES} then carried = ARGV[3] end
end
redis.call('XADD', KEYS[1], ARGV[2], '{FIELD}', ARGV[3])
if redis.call('PUBLISH', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. carried) == 0 then
  redis.call('PUBLISH', ARGV[4], ARGV[5])
end
"""

# As WRITE, for what was perhaps written before. Redis looks before it can refuse, so that it is known afterwards.
WRITE_AGAIN = f"""
local stream = redis.pcall('XINFO', 'STREAM', KEYS[1])
for at = 1, #stream, 2 do
  if stream[at] == 'last-generated-id' then
    local ms, number = string.match(stream[at + 1], '(%d+)-(%d+)')
    local own_ms, own_number = string.match(ARGV[2], '(%d+)-(%d+)')
    ms, number, own_ms, own_number = tonumber(ms), tonumber(number), tonumber(own_ms), tonumber(own_number)
    if ms > own_ms or (ms == own_ms and number >= own_number) then return end
  end
end
{WRITE}"""
