"""`xmpplab` as a process that need not load its libraries first: forked from one that has them.

Most of a short command is its start and its end, and the tests run a thousand of them. What is forked has its own
folder, files and environment, as any other process. Tests of how the command itself starts and ends run the program.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

MAX_REQUEST_BYTES = 1 << 17
LIBRARIES = (
    "cluster.cli.app", "cluster.lab.driver", "cluster.lab.overview", "cluster.lab.plans", "cluster.lab.tracing.prober",
    "cluster.lab.verify.live", "cluster.topology.load", "docker", "redis", "rich.console",
)  # fmt: skip
"""With what they import, most of what commands use."""


def run(
    arguments: Sequence[str],
    folder: Path,
    timeout_s: int,
    *,
    stdout: int | None = None,
    environment: Mapping[str, str] | None = None,
    before: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run `xmpplab …` in this folder; SIGALRM ends what takes longer than `timeout_s`.

    `stdout`: a file descriptor in place of the result's. `environment`: added to that of this process. `before`: a
    program and arguments that start what it is forked from.
    """
    mine, its = socket.socketpair()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, mine:
        with its:
            variables = {**os.environ, **(environment or {})}
            request = json.dumps([list(arguments), str(folder), variables, timeout_s]).encode()
            files = [out.fileno() if stdout is None else stdout, err.fileno(), its.fileno()]
            socket.send_fds(_server(before), [request], files)
        code = int(mine.recv(16))
        written = [file.seek(0) or file.read().decode() for file in (out, err)]
    return subprocess.CompletedProcess(arguments, code, *written)


@cache
def _server(before: tuple[str, ...]) -> socket.socket:
    """Where to send requests; it ends when this process does."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        its.set_inheritable(True)
        argv = [*before, sys.executable, "-P", __file__, str(its.fileno())]
        os.posix_spawnp(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)])
    atexit.register(mine.close)
    return mine


def _serve(requests: socket.socket) -> None:
    """Fork for each request. Only what is forked returns: as the command."""
    for name in LIBRARIES:
        import_module(name)
    gc.freeze()  # a collection would write to the pages that all share
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: for the tests
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, files, *_ = socket.recv_fds(requests, MAX_REQUEST_BYTES, 3)
        if not request:
            sys.exit()
        if not os.fork():
            requests.close()
            return _tell_its_end(request, files)
        for file in files:
            os.close(file)


def _tell_its_end(request: bytes, files: list[int]) -> None:
    """Fork again: one waits for the exit code of the other, which becomes the command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if command := os.fork():
        _, status = os.waitpid(command, 0)
        os.write(files[-1], str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    _become(*json.loads(request), files)


def _become(arguments: list[str], folder: str, environment: dict[str, str], timeout_s: int, files: list[int]) -> None:
    out, err, _ = files
    os.dup2(out, 1)
    os.dup2(err, 2)
    for file in files:
        os.close(file)
    sys.argv = ["xmpplab", *arguments]
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    encoding = environment.get("PYTHONIOENCODING", "utf-8")  # which Python reads at its start
    sys.stdout = open(1, "w", closefd=False, encoding=encoding)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, encoding=encoding, buffering=1, errors="backslashreplace")  # noqa: SIM115
    tempfile.tempdir = None
    random.seed()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.alarm(timeout_s)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    from cluster.cli import main

    try:
        main()
    except SystemExit as end:  # to take all libraries apart would cost more than most commands
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code or 0))
