"""The fork server and its nodes, without a supervisor."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.lab.processes import forkserver
from cluster.lab.processes.python import PYTHON

ROOT = Path(__file__).parents[3]
DRAWS = "tests.unit.lab.draws"
ECHO = "tests.unit.lab.echo"


@pytest.fixture
def server() -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    argv = [*PYTHON, forkserver.__name__, "cluster.lab.node", DRAWS, ECHO]
    with theirs:
        process = subprocess.Popen(argv, stdin=theirs, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    with ours:
        yield ours, process
    process.kill()
    process.wait()


def output(requests: socket.socket, module: str, *arguments: bytes) -> bytes:
    """Of a new node."""
    read, write = os.pipe()
    with open(os.devnull) as nothing:
        request = forkserver.SEPARATOR.join([*map(os.fsencode, PYTHON), module.encode(), *arguments])
        socket.send_fds(requests, [request], [nothing.fileno(), write, 2])
        assert int(requests.recv(forkserver.MAX_ANSWER_BYTES)) > 0
    os.close(write)
    with open(read, "rb") as file:
        return file.read()


def test_no_two_nodes_draw_the_same(server: tuple[socket.socket, subprocess.Popen[bytes]]) -> None:
    first, second = (output(server[0], DRAWS).split() for _ in range(2))
    assert len(first) == 4
    assert not set(first) & set(second)


def test_arguments_may_have_any_characters(
    server: tuple[socket.socket, subprocess.Popen[bytes]],
) -> None:
    name = "ü \" ' \n$x".encode()
    assert output(server[0], ECHO, name) == name
