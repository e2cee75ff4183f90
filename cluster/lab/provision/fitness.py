"""Checks that an existing Redis is fit for a lab: some settings lose data silently."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from cluster.lab.errors import LabError

_EVICTS = (
    "this Redis may evict data of the lab when its memory is full (maxmemory-policy {policy}): run "
    "`CONFIG SET maxmemory-policy noeviction` there and write it into its configuration, or give another one"
)
_REPLICA = (
    "this Redis is a replica of {master_host}:{master_port} and accepts no writes; give the address of its master"
)
_FORGETS = (
    "this Redis writes nothing to disk: a restart loses accounts and messages; "
    "run `CONFIG SET appendonly yes` there and write it into its configuration"
)
_SNAPSHOTS = (
    "this Redis writes snapshots to disk: a crash loses the changes since the last one; "
    "run `CONFIG SET appendonly yes` there and write it into its configuration"
)


def check_fit(masters: Sequence[Any]) -> None:
    """Check the settings of a Redis, or of each master of a cluster, by clients of redis-py. Raises LabError.

    Data that only a restart of Redis would lose is a warning on standard error: that may be intended.
    """
    from redis.exceptions import ResponseError

    told: set[str] = set()
    for master in masters:
        with suppress(ResponseError):  # an operator without this right has to know
            told |= _look_at(master)
    for warning in sorted(told):
        print(f"xmpplab: {warning}", file=sys.stderr)


def _look_at(master: Any) -> set[str]:
    from redis.exceptions import ResponseError

    found = {**master.info("memory"), **master.info("replication"), **master.info("persistence")}
    policy = found.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise LabError(_EVICTS.format(policy=policy))
    if found.get("role") == "slave":
        raise LabError(_REPLICA.format_map(found))
    if found.get("aof_enabled"):
        return set()
    with suppress(ResponseError):  # some users of a rented Redis may not ask
        if not master.config_get("save").get("save"):
            return {_FORGETS}
    return {_SNAPSHOTS}
