"""A script for Redis: a field of a hash is changed only as it is known."""

REPLACE = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""
"""Arguments: field, the value that it has, the one that it gets; 0 if it has another one, or none."""
