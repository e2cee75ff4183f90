"""The health check of a container: `python -m cluster.lab.containers.health [--alive]`.

Exit code 0: the node answers. It asks the running process, over HTTP, whether it is ready: that includes Redis, without
which a server can serve nobody. With `--alive` it asks only whether it lives, for callers that would restart the
container, which does not help then. Redis is asked itself.

It runs every few seconds in every container: it imports next to nothing, and takes as long as Python takes to start.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from urllib.parse import unquote, urlsplit

LAB = "/lab"
"""The folder in a container."""
PORT = 9464
"""Of the metrics, and of these answers, in a container; that of OpenTelemetry's exporter for Prometheus."""
REDIS_PORT = 6379
TIMEOUT_S = 2.0
"""Less than the time limit of the engine."""
MAX_ANSWER_BYTES = 4_096
"""Of an answer, however it goes on."""


def question(is_alive: bool, lab: str = LAB) -> tuple[int, bytes, bytes]:
    """The port to ask, what to ask, and the beginning of the answer of a healthy process, after what always comes."""
    if not os.path.exists(f"{lab}/redis.conf"):
        request = f"GET /{'live' if is_alive else 'ready'} HTTP/1.0\r\n\r\n"
        return PORT, request.encode(), b" 200 "
    with open(f"{lab}/secrets.json", "rb") as file:
        url = urlsplit(json.load(file)["admin"])
    login = f"AUTH {unquote(url.username or '')} {unquote(url.password or '')}\r\nPING\r\n"
    return REDIS_PORT, login.encode(), b"+PONG"


def is_healthy(port: int, request: bytes, awaited: bytes) -> bool:
    """Ask once; False if the expected answer does not come."""
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            connection.sendall(request)
            while awaited not in received and len(received) < MAX_ANSWER_BYTES:
                part = connection.recv(MAX_ANSWER_BYTES)
                if not part:
                    return False
                received += part
    except OSError:
        return False
    return awaited in received


if __name__ == "__main__":
    sys.exit(not is_healthy(*question("--alive" in sys.argv[1:])))
