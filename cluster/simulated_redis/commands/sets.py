"""Sets."""

from __future__ import annotations

from cluster.simulated_redis.command import NOTHING, READ, WRITE, Args, command
from cluster.simulated_redis.database import Database, Set
from cluster.simulated_redis.resp import Members


@command("sadd", -3, WRITE)
def sadd(db: Database, args: Args) -> int:
    found = db.open(args[1], Set)
    before = len(found)
    found.update(dict.fromkeys(args[2:]))
    return len(found) - before


@command("smembers", 2, READ)
def smembers(db: Database, args: Args) -> Members:
    return Members(db.read(args[1], Set) or ())


@command("sismember", 3, NOTHING)
def sismember(db: Database, args: Args) -> int:
    return int(args[2] in (db.read(args[1], Set) or ()))
