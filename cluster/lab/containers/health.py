"""Does the part of the lab in this container answer? `python -m cluster.lab.containers.health`, as HEALTHCHECK.

Exit code 0: it does. The node is known by the name of the host, which is the container's; else name it behind.
A server also has to answer by way of Redis, without which it can serve nobody: unless `--alive` stands behind its name,
for whoever would start it again, which would not help.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import msgspec

from cluster.lab.containers.files import LAB, REDIS_PORT
from cluster.lab.control.readiness import ReadinessProbe, answers, redis_question, server_question, status_question
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, LabFolder

TIMEOUT_S = 2.0
"""For each question: less than the engine gives both."""


def questions(folder: LabFolder, node: str, is_alive: bool = False) -> Iterator[ReadinessProbe]:
    """What to ask the part of this name; `is_alive`: only what it answers by itself."""
    plan, urls = folder.plan(), folder.secrets()
    if ADMIN in urls:
        yield redis_question(("127.0.0.1", REDIS_PORT), urls[ADMIN])
        return
    ((speaks_for, url),) = urls.items()
    server = next((each for each in plan.ours if each.name == node), None)
    if server is not None:
        yield server_question(msgspec.structs.replace(server, host="127.0.0.1"))
    if server is None or not is_alive:
        yield status_question(url, plan, server.channel if server else speaks_for)


if __name__ == "__main__":
    node = sys.argv[1] if len(sys.argv) > 1 else socket.gethostname()
    asked = questions(LabFolder(LAB), node, is_alive="--alive" in sys.argv[2:])
    try:
        sys.exit(not all(answers(each, TIMEOUT_S) for each in asked))
    except LabError as error:  # the Redis that it is to be asked through
        sys.exit(str(error))
