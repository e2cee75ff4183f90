"""The end of a lab whose processes or containers have ended: its users in Redis, and its folder."""

from __future__ import annotations

from cluster.lab.folder import LabFolder
from cluster.lab.provision import redis


def remove(folder: LabFolder, *, keep: bool) -> None:
    """Remove the lab's users from an existing Redis, then the folder; `keep`: its data stay. Raises LabError."""
    try:
        if folder.plan_file.exists() and (plan := folder.plan()).redis_url:
            redis.move_out(plan, keep_data=keep)
    finally:
        if keep:
            folder.remove_runtime()
        else:
            folder.remove()
