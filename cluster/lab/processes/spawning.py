"""How a supervisor starts the processes of its parts: nodes of our own are forked, other programs are executed."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from setproctitle import setproctitle
from twisted.internet.process import Process, reapProcessHandlers
from twisted.internet.protocol import ProcessProtocol
from typing_extensions import override

from cluster.lab.processes import forkserver
from cluster.lab.processes.probe import Reactor
from cluster.lab.processes.python import PYTHON

Spawn = Callable[[ProcessProtocol, Sequence[str]], Any]
"""Starts a program with these arguments; returns its IProcessTransport. Raises OSError."""
Fork = Callable[[Sequence[str], Sequence[int]], int]
_PR_SET_CHILD_SUBREAPER = 36
"""prctl(2): processes whose parent has ended become children of this one."""
FORK_TIMEOUT_S = 10.0
"""The first fork waits until the code is imported, half a second on an idle machine."""
Server = tuple[socket.socket, int]
"""A fork server: where its requests go, and the id of its process."""


def forked(modules: Sequence[str]) -> Server | None:
    """A fork server for the modules, a fork of this process; only before this process has a reactor. None where a
    `Spawner` needs none, or has to try again."""
    if not (modules and _adopts()):
        return None
    server, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        pid = os.fork()
    except OSError:
        pid = -1
    if pid:
        other.close()
        if pid > 0:
            return server, pid
        server.close()
        return None
    os.dup2(other.detach(), 0)
    server.detach()
    setproctitle(" ".join((*PYTHON, forkserver.__name__, *modules)))
    forkserver.run(modules)
    sys.exit()  # a node, at its end


class Spawner:
    """Starts processes; those of `modules` (`PYTHON MODULE …`) as forks of a fork server where the system can."""

    def __init__(self, reactor: Reactor, modules: Sequence[str] = (), server: Server | None = None) -> None:
        """`server`: what `forked` returned."""
        self._reactor = reactor
        self._modules = modules if modules and _adopts() else ()
        self._server: socket.socket | None = None
        self._pid = 0
        if server is not None:
            self._server, self._pid = server
            self._server.settimeout(FORK_TIMEOUT_S)

    def spawn(self, protocol: ProcessProtocol, argv: Sequence[str]) -> Any:
        """Start a program; see `Spawn`."""
        if tuple(argv[: len(PYTHON)]) == PYTHON and argv[len(PYTHON)] in self._modules:
            return _Forked(self._reactor, argv, protocol, self._fork)
        return self._reactor.spawnProcess(protocol, argv[0], argv, env=None)

    def reap(self) -> None:
        """Collect the exit status of an adopted process that is no part: the grandchild of a foreign server."""
        if not self._modules:
            return  # nothing is adopted
        with suppress(ChildProcessError):  # there are no processes below this one
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if ended.si_pid in reapProcessHandlers:
                    return  # those who wait for it collect it, and the next call goes on
                if ended.si_pid == self._pid:
                    self._end()  # the next fork starts another one
                else:
                    os.waitpid(ended.si_pid, 0)

    def _start(self) -> None:
        """The fork server writes where this process does, to the log of the supervisor. Raises OSError."""
        server, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [*PYTHON, forkserver.__name__, *self._modules]
        with other:
            actions = [(os.POSIX_SPAWN_DUP2, other.fileno(), 0)]
            try:
                self._pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=actions)
            except OSError:
                server.close()
                raise
        server.settimeout(FORK_TIMEOUT_S)
        self._server = server

    def _end(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0

    def _fork(self, argv: Sequence[str], descriptors: Sequence[int]) -> int:
        """The process id of a new node. A fork server that is dead or hangs is replaced, once. Raises OSError."""
        request = forkserver.SEPARATOR.join(map(os.fsencode, argv))
        answer = self._ask(request, descriptors)
        if not answer:
            self._end()
            self._start()
            answer = self._ask(request, descriptors)
        if not answer:
            raise OSError(errno.EIO, "the fork server does not answer")
        pid = int(answer)
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return pid

    def _ask(self, request: bytes, descriptors: Sequence[int]) -> bytes:
        """The answer of the fork server; empty if there is none."""
        if self._server is None:
            return b""
        try:
            socket.send_fds(self._server, [request], descriptors)
            return self._server.recv(forkserver.MAX_ANSWER_BYTES)
        except OSError:
            return b""


def _adopts() -> bool:
    """Let processes whose parent ends become children of this one; False where the system cannot."""
    return sys.platform == "linux" and not ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


class _Forked(Process):
    """The transport of a forked node: pipes, signals and its end are those of any process."""

    def __init__(self, reactor: Reactor, argv: Sequence[str], protocol: ProcessProtocol, fork: Fork) -> None:
        self._ask_for_fork = fork
        super().__init__(reactor, argv[0], argv, None, None, protocol)  # type: ignore[no-untyped-call]

    @override
    def _fork(
        self, path: Any, uid: Any, gid: Any, executable: Any, args: Sequence[str], environment: Any, **kwargs: Any
    ) -> None:
        fdmap = kwargs["fdmap"]
        self.pid = self._ask_for_fork(args, [fdmap[standard] for standard in forkserver.STANDARD])
        self.status = -1
