"""Writes users and domains of the lab to Redis, once it answers: `python -m cluster.lab.containers.announce`.

The lab's users are created first, if the Redis is not the lab's own.
"""

from __future__ import annotations

import sys

from cluster.lab.containers.files import LAB, announced
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN
from cluster.lab.provision import redis
from cluster.lab.redis_client import connected
from cluster.lab.wait import wait_until

PATIENCE_S = 60.0
"""A Redis that has to read a long file answers late."""


def main() -> None:
    """Wait for Redis, and write to it."""
    plan, urls = announced(LAB)
    try:
        wait_until(lambda: _answers(urls[ADMIN]), PATIENCE_S)
        if plan.redis_url:
            redis.let_in(plan, urls)
        redis.announce(urls[ADMIN], plan)
    except LabError as error:
        sys.exit(str(error))


def _answers(url: str) -> bool:
    try:
        with connected(url) as admin:
            return bool(admin.ping())
    except LabError:
        return False


if __name__ == "__main__":
    main()
