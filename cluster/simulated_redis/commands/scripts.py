"""EVAL."""

from __future__ import annotations

from cluster.simulated_redis.command import BOTH, Args, command, integer
from cluster.simulated_redis.database import Database
from cluster.simulated_redis.resp import CommandError, Reply


def _keys(args: Args) -> list[bytes]:
    return args[3 : 3 + int(args[2])] if args[2].isdigit() else []


@command("eval", -3, BOTH, keys=_keys)
def evaluate(db: Database, args: Args) -> Reply:
    count = integer(args[2])
    if count > len(args) - 3:
        raise CommandError("ERR Number of keys can't be greater than number of args")
    if count < 0:
        raise CommandError("ERR Number of keys can't be negative")
    return db.run_script(args[1], args[3 : 3 + count], args[3 + count :])
