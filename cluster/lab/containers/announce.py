"""Tell Redis which domains the lab serves, once it answers: `python -m cluster.lab.containers.announce`."""

from __future__ import annotations

import sys

from cluster.lab.containers.files import LAB, REDIS, REDIS_PORT
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.question import answers, redis_question
from cluster.lab.redis import announce
from cluster.lab.wait import wait_until

PATIENCE_S = 60.0
"""A Redis with a long file to read answers late."""


def main() -> None:
    """Wait for Redis, and tell it."""
    folder = LabFolder(LAB)
    url = folder.secrets()[ADMIN]
    question = redis_question((REDIS, REDIS_PORT), url)
    if not wait_until(lambda: answers(question, 1.0), PATIENCE_S):
        sys.exit(f"{REDIS}:{REDIS_PORT} did not answer within {PATIENCE_S:g} s; see its log")
    announce(url, folder.plan())


if __name__ == "__main__":
    main()
