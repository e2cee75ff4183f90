"""The scripts with which Redis writes an entry of a link, and announces it to the reader."""

from __future__ import annotations

CARRIED_BYTES = 1 << 16
CARRIED_BACKLOG = 64
CARRIED_BACKLOG_BYTES = 1 << 18
"""An entry is announced with its bytes if it is no larger than this, at most this many entries are before it, and those
would be no larger in total if they had its size. Otherwise Redis would keep the entries of a slow reader twice, and
close its connection at client-output-buffer-limit. So one link owes the reader less than 1 MiB; the reader reads all
others from the stream."""
FIELD = "b"
"""The one field of an entry: its batch, or marks (fence.py)."""

# key: the link; arguments: id of the previous entry, id of this one, its batch; its doorbell, the end that rings it
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

# As WRITE, for an entry that was perhaps written before. It looks before Redis can refuse, so the result is known.
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
