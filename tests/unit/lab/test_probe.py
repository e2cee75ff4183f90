"""Asking a part until it answers."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from cluster.lab.control.readiness import redis_question
from cluster.lab.processes import probe
from cluster.lab.processes.probe import always, answered
from tests.harness import PATIENCE_S, ReactorThread


def test_a_redis_that_is_loading_is_asked_again_though_it_keeps_the_connection(
    reactor_thread: ReactorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections while it reads its append-only file, and answers each command with LOADING."""
    monkeypatch.setattr(probe, "ANSWER_TIMEOUT_S", 1e6)  # only its answer can make us ask again
    path = tmp_path / "redis.sock"
    connections: list[socket.socket] = []

    def serve() -> None:
        for answer in (b"+OK\r\n-LOADING Redis is loading the dataset in memory\r\n", b"+OK\r\n+PONG\r\n"):
            connections.append(listener.accept()[0])
            connections[-1].recv(100)
            connections[-1].sendall(answer)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(PATIENCE_S)
        thread = threading.Thread(target=serve)
        thread.start()
        question = always(redis_question(path, f"unix://admin:secret@{path}"))
        reactor_thread.run(lambda: answered(question, reactor_thread.reactor))
        thread.join()
    for connection in connections:
        connection.close()
