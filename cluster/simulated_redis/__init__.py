"""A Redis in virtual time, for what `cluster.redisio` asks of one: RESP3, commands, scripts, users, and a disk."""
