"""Keys of any kind."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.simulated_redis.command import (
    BOTH,
    SYNTAX,
    WRITE,
    Args,
    all_of,
    command,
    integer,
    second_key,
    without_options,
)
from cluster.simulated_redis.database import Database, Hash, SortedSet, Value
from cluster.simulated_redis.resp import CommandError
from cluster.simulated_redis.stream import Stream

OVERHEAD_BYTES = 48
"""Estimated, of each element of a value."""


@command("del", -2, WRITE, keys=all_of)
def delete(db: Database, args: Args) -> int:
    return sum([db.delete(key) for key in args[1:]])


@command("expire", -3, WRITE)
def expire(db: Database, args: Args) -> int:
    without_options(args, 3)
    in_s = integer(args[2])
    if args[1] not in db.values:
        return 0
    if in_s > 0:
        db.expire(args[1], in_s * 1000)
    else:
        db.delete(args[1])
    return 1


@command("rename", 3, BOTH, keys=all_of)
def rename(db: Database, args: Args) -> str:
    if args[1] not in db.values:
        raise CommandError("ERR no such key")
    db.rename(args[1], args[2])
    return "OK"


@command("memory|usage", -3, keys=second_key)
def memory_usage(db: Database, args: Args) -> int | None:
    """An estimate: it depends on the allocator."""
    if len(args) not in (3, 5) or (len(args) == 5 and args[3].upper() != b"SAMPLES"):
        raise CommandError(SYNTAX)
    value = db.values.get(args[2])
    if value is None:
        return None
    return len(args[2]) + sum(len(part) + OVERHEAD_BYTES for part in _parts(value))


def _parts(value: Value) -> Iterator[bytes]:
    if isinstance(value, Stream):
        yield from (part for fields in value.fields.values() for part in fields)
    elif isinstance(value, Hash):
        yield from (part for each in value.items() for part in each)
    elif isinstance(value, SortedSet):
        yield from value.scores
    else:
        yield from value
