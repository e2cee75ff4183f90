"""The commands that servers of a lab use, by the kind of their values. Importing this enters them into the table."""

from cluster.simulated_redis.commands import (
    connections,
    hashes,
    keys,
    lists,
    scripts,
    sets,
    sorted_sets,
    streams,
)

__all__ = ["connections", "hashes", "keys", "lists", "scripts", "sets", "sorted_sets", "streams"]
