"""The health check of a container: `python -m cluster.lab.containers.health`.

Exit code 0: the node answers. The node's name is the host name, which is the container's, or an argument. A server also
has to answer through Redis, without which it can serve nobody: unless `--alive` follows the name, for callers that
would restart the container, which does not help.
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
"""For each question: less than the time limit of the engine for both."""


def questions(folder: LabFolder, node: str, is_alive: bool = False) -> Iterator[ReadinessProbe]:
    """The questions for the node of this name; `is_alive`: only those without Redis."""
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
    except LabError as error:  # the Redis through which it is asked
        sys.exit(str(error))
