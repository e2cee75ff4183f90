"""The end of a lab whose processes or containers have ended: its users in Redis, and its folder."""

from __future__ import annotations

import msgspec

from cluster.lab.clients import profiles
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.provision import redis
from cluster.topology.plan import Plan


def remove(folder: LabFolder, *, keep: bool) -> None:
    """Remove the lab's users from an existing Redis, end its client programs, and remove the folder. Raises LabError.

    `keep`: data stay, and the programs, which are connected again by the next `up`.
    """
    try:
        if (plan := _of_existing_redis(folder)) is not None:
            redis.move_out(plan, keep_data=keep)
    finally:
        if keep:
            folder.remove_runtime()
        else:
            profiles.end_all(folder)
            folder.remove()


def _of_existing_redis(folder: LabFolder) -> Plan | None:
    """The plan of a lab whose users and data are in an existing Redis. Raises LabError if it cannot be read.

    A lab with a Redis of its own is removed without its plan, which another version may have written.
    """
    try:
        return plan if folder.plan_file.exists() and (plan := folder.plan()).redis_url else None
    except LabError as error:
        try:
            has_own = not msgspec.json.decode(folder.plan_file.read_bytes()).get("redis_url")
        except (msgspec.DecodeError, AttributeError):
            has_own = True  # it is no plan at all
        if has_own:
            return None
        raise LabError(f"lab {folder.name!r} is down, but what it has in its Redis stays there: {error}") from None
