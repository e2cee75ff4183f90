"""Sorted sets."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from cluster.simulated_redis.command import NOTHING, READ, SYNTAX, WRITE, Args, command, integer, score, without_options
from cluster.simulated_redis.commands.lists import span
from cluster.simulated_redis.database import Database, SortedSet
from cluster.simulated_redis.resp import CommandError, Scored

_AFTER_ALL = b"\xff" * 1_024
"""Above any member, among those of one score: the members of a lab are ids of items."""


@command("zadd", -4, WRITE)
def zadd(db: Database, args: Args) -> int:
    if len(args) % 2:
        raise CommandError(SYNTAX)
    scores = [score(each) for each in args[2::2]]
    found = db.open(args[1], SortedSet)
    return sum([found.put(member, each) for member, each in zip(args[3::2], scores, strict=True)])


@command("zcard", 2, NOTHING)
def zcard(db: Database, args: Args) -> int:
    return len(db.read(args[1], SortedSet) or ())


@command("zscore", 3, READ)
def zscore(db: Database, args: Args) -> float | None:
    found = db.read(args[1], SortedSet)
    return None if found is None else found.scores.get(args[2])


@command("zrank", -3, READ)
def zrank(db: Database, args: Args) -> int | None:
    without_options(args, 3)
    found = db.read(args[1], SortedSet)
    if found is None or args[2] not in found.scores:
        return None
    return found.rank(args[2], found.scores[args[2]])


@command("zrem", -3, WRITE)
def zrem(db: Database, args: Args) -> int:
    found = db.read(args[1], SortedSet)
    if found is None:
        return 0
    gone = sum([found.remove(member) for member in args[2:]])
    db.drop_if_empty(args[1])
    return gone


@command("zrange", -4, READ)
def zrange(db: Database, args: Args) -> list[bytes] | Scored:
    options = [each.upper() for each in args[4:]]
    if options not in ([], [b"WITHSCORES"]):
        raise CommandError(SYNTAX)
    first, last = integer(args[2]), integer(args[3])
    found = db.read(args[1], SortedSet) or SortedSet()
    chosen = found.order[span(first, last, len(found))]
    if options:
        return Scored((member, each) for each, member in chosen)
    return [member for _, member in chosen]


@command("zrangebyscore", -4, READ)
def zrangebyscore(db: Database, args: Args) -> list[bytes]:
    without_options(args, 4)
    (low, is_above), (high, is_below) = _bound(args[2]), _bound(args[3])
    found = db.read(args[1], SortedSet) or SortedSet()
    begin = bisect_right(found.order, (low, _AFTER_ALL)) if is_above else bisect_left(found.order, (low, b""))
    end = bisect_left(found.order, (high, b"")) if is_below else bisect_right(found.order, (high, _AFTER_ALL))
    return [member for _, member in found.order[begin:end]]


def _bound(text: bytes) -> tuple[float, bool]:
    """And whether it is excluded."""
    return score(text.removeprefix(b"("), "ERR min or max is not a float"), text.startswith(b"(")
