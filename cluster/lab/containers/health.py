"""Does the part of the lab in this container answer? `python -m cluster.lab.containers.health`, as HEALTHCHECK.

Exit code 0: it does. The node is known by the name of the host, which is the container's; else name it behind.
"""

from __future__ import annotations

import socket
import sys

import msgspec

from cluster.lab.containers.files import LAB, REDIS_PORT
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.question import Question, answers, redis_question, server_question, status_question

TIMEOUT_S = 4.0
"""Less than the engine gives it."""


def question(folder: LabFolder, node: str) -> Question:
    """What to ask the part of this name."""
    plan, urls = folder.plan(), folder.secrets()
    if ADMIN in urls:
        return redis_question(("127.0.0.1", REDIS_PORT), urls[ADMIN])
    server = plan.server(node)
    if server is not None:
        return server_question(msgspec.structs.replace(server, host="127.0.0.1"))
    ((speaks_for, url),) = urls.items()
    return status_question(url, plan, speaks_for)


if __name__ == "__main__":
    node = sys.argv[1] if len(sys.argv) > 1 else socket.gethostname()
    sys.exit(not answers(question(LabFolder(LAB), node), TIMEOUT_S))
