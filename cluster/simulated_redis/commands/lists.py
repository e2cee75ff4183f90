"""Lists."""

from __future__ import annotations

from cluster.simulated_redis.command import BOTH, NOTHING, READ, WRITE, Args, command, integer
from cluster.simulated_redis.database import Database, List
from cluster.simulated_redis.resp import CommandError


@command("rpush", -3, WRITE)
def rpush(db: Database, args: Args) -> int:
    found = db.open(args[1], List)
    found += args[2:]
    return len(found)


@command("lpush", -3, WRITE)
def lpush(db: Database, args: Args) -> int:
    found = db.open(args[1], List)
    found[:0] = args[:1:-1]
    return len(found)


@command("lpop", -2, BOTH)
def lpop(db: Database, args: Args) -> bytes | list[bytes] | None:
    if len(args) > 3:
        raise CommandError("ERR wrong number of arguments for 'lpop' command")
    count = integer(args[2], "ERR value is out of range, must be positive") if len(args) == 3 else None
    if count is not None and count < 0:
        raise CommandError("ERR value is out of range, must be positive")
    found = db.read(args[1], List)
    if found is None:
        return None
    popped = found[: 1 if count is None else count]
    del found[: len(popped)]
    db.drop_if_empty(args[1])
    return popped[0] if count is None else popped


@command("llen", 2, NOTHING)
def llen(db: Database, args: Args) -> int:
    return len(db.read(args[1], List) or ())


@command("lrange", 4, READ)
def lrange(db: Database, args: Args) -> list[bytes]:
    first, last = integer(args[2]), integer(args[3])
    found = db.read(args[1], List) or List()
    return found[span(first, last, len(found))]


@command("ltrim", 4, WRITE)
def ltrim(db: Database, args: Args) -> str:
    first, last = integer(args[2]), integer(args[3])
    found = db.read(args[1], List)
    if found is not None:
        kept = span(first, last, len(found))
        del found[kept.stop :]
        del found[: kept.start]
        db.drop_if_empty(args[1])
    return "OK"


def span(first: int, last: int, size: int) -> slice:
    """The places from `first` to `last`, both included; negative ones count from the end."""
    first = max(0, first + size if first < 0 else first)
    last = min(size - 1, last + size if last < 0 else last)
    return slice(first, last + 1) if first <= last else slice(0, 0)
