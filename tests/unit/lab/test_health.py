"""The health check of a container: what it asks, and how it judges the answer."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cluster.lab.containers import health
from cluster.lab.folder import ADMIN, LabFolder

READY = b"HTTP/1.1 200 OK\r\nServer: TwistedWeb\r\n\r\nready\n"


def answering(answer: bytes) -> int:
    """The port of a server that gives one connection this answer, and ends."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("answer", "is_healthy"),
    [(READY, True), (READY.replace(b"200 OK", b"503 Service Unavailable"), False), (b"", False)],
    ids=["200", "503", "nothing"],
)
def test_the_process_says_whether_it_is_healthy(tmp_path: Path, answer: bytes, is_healthy: bool) -> None:
    _, request, awaited = health.question(is_alive=False, lab=str(tmp_path))
    assert request.startswith(b"GET /ready ")
    assert health.is_healthy(answering(answer), request, awaited) is is_healthy


def test_nobody_is_there() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        assert not health.is_healthy(nobody.getsockname()[1], b"GET /ready HTTP/1.0\r\n\r\n", b" 200 ")


def test_redis_is_asked_with_the_login_of_its_container(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path)
    folder.redis_config.write_text("")
    folder.secrets_file.write_text(json.dumps({ADMIN: "redis://admin:p%2Fw@redis:6379/0"}))
    assert health.question(is_alive=True, lab=str(tmp_path)) == (6379, b"AUTH admin p/w\r\nPING\r\n", b"+PONG")


def test_it_imports_next_to_nothing() -> None:
    """It is started every few seconds in each container."""
    heavy = {"twisted", "msgspec", "asyncio", "ssl"}
    code = f"import sys, cluster.lab.containers.health; print(*{heavy} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "\n"
