"""Hashes."""

from __future__ import annotations

from binascii import crc32
from heapq import nsmallest

from cluster.simulated_redis.command import (
    BOTH,
    READ,
    SYNTAX,
    WRITE,
    Args,
    command,
    integer,
    wrong_number,
)
from cluster.simulated_redis.database import Database, Hash
from cluster.simulated_redis.resp import CommandError

COMPACT_FIELDS = 128
COMPACT_BYTES = 64
"""A hash with no more fields, none of which is larger, is read whole by one HSCAN (hash-max-listpack-…)."""


@command("hget", 3, READ)
def hget(db: Database, args: Args) -> bytes | None:
    found = db.read(args[1], Hash)
    return None if found is None else found.get(args[2])


@command("hmget", -3, READ)
def hmget(db: Database, args: Args) -> list[bytes | None]:
    found = db.read(args[1], Hash) or Hash()
    return [found.get(field) for field in args[2:]]


@command("hset", -4, WRITE)
def hset(db: Database, args: Args) -> int:
    if len(args) % 2:
        raise wrong_number("hset")
    found = db.open(args[1], Hash)
    before = len(found)
    found.update(zip(args[2::2], args[3::2], strict=True))
    return len(found) - before


@command("hsetnx", 4, WRITE)
def hsetnx(db: Database, args: Args) -> int:
    found = db.open(args[1], Hash)
    if args[2] in found:
        return 0
    found[args[2]] = args[3]
    return 1


@command("hdel", -3, WRITE)
def hdel(db: Database, args: Args) -> int:
    found = db.read(args[1], Hash)
    if found is None:
        return 0
    gone = sum(found.pop(field, None) is not None for field in args[2:])
    db.drop_if_empty(args[1])
    return gone


@command("hexists", 3)
def hexists(db: Database, args: Args) -> int:
    return int(args[2] in (db.read(args[1], Hash) or {}))


@command("hlen", 2)
def hlen(db: Database, args: Args) -> int:
    return len(db.read(args[1], Hash) or {})


@command("hstrlen", 3)
def hstrlen(db: Database, args: Args) -> int:
    return len((db.read(args[1], Hash) or Hash()).get(args[2], b""))


@command("hkeys", 2, READ)
def hkeys(db: Database, args: Args) -> list[bytes]:
    return [*(db.read(args[1], Hash) or {})]


@command("hgetall", 2, READ)
def hgetall(db: Database, args: Args) -> dict[bytes, bytes]:
    return dict(db.read(args[1], Hash) or {})


@command("hincrby", 4, BOTH)
def hincrby(db: Database, args: Args) -> int:
    by, before = integer(args[3]), db.read(args[1], Hash) or Hash()
    value = integer(before.get(args[2], b"0"), "ERR hash value is not an integer") + by
    if not -(2**63) <= value < 2**63:
        raise CommandError("ERR increment or decrement would overflow")
    db.open(args[1], Hash)[args[2]] = b"%d" % value
    return value


@command("hscan", -3, READ)
def hscan(db: Database, args: Args) -> list[bytes | list[bytes]]:
    """A cursor is the lowest place of the fields that are left: their places are hashes, so that what is deleted
    meanwhile moves no other."""
    if not args[2].isdigit():
        raise CommandError("ERR invalid cursor")
    if len(args) not in (3, 5) or (len(args) == 5 and args[3].upper() != b"COUNT"):
        raise CommandError(SYNTAX)
    found = db.read(args[1], Hash)
    if found is None:
        return [b"0", []]
    count, begin = integer(args[4]) if len(args) == 5 else 10, int(args[2])
    if count < 1:
        raise CommandError(SYNTAX)
    if len(found) <= COMPACT_FIELDS and all(max(map(len, each)) <= COMPACT_BYTES for each in found.items()):
        return [b"0", [part for each in found.items() for part in each]]
    left = [place for place in map(_place, found) if place >= begin]
    page = nsmallest(count + 1, left)
    end = page[count] if len(page) > count else 0
    fields = sorted(field for field in found if _place(field) >= begin and (not end or _place(field) < end))
    return [b"%d" % end, [part for field in fields for part in (field, found[field])]]


def _place(field: bytes) -> int:
    """Not 0, which begins and ends a scan."""
    return crc32(field) + 1
