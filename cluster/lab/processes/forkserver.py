"""A process that has imported the code of nodes, and forks them: `python -m cluster.lab.processes.forkserver MODULE…`.

Python needs about half a second of a core to import a node; a fork needs milliseconds, and shares the memory of what
was imported. The first one of a lab is itself a fork, of the supervisor, which has imported half of that.

Requests come over standard input, a socket to the supervisor: the arguments of a node, with the file descriptors for
its standard input, output and error. The answer is its process id, or the errno of a failed fork as a negative number.
It ends with that socket. Linux only: the supervisor must become the parent of the nodes (prctl(2),
PR_SET_CHILD_SUBREAPER), so that it hears how they end.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Sequence
from importlib import import_module

from setproctitle import setproctitle

from cluster.lab.processes.parent import end_with_parent
from cluster.lab.processes.python import PYTHON

MAX_REQUEST_BYTES = 1 << 16
MAX_ANSWER_BYTES = 32
SEPARATOR = b"\0"
"""Between the arguments of a node."""
STANDARD = (0, 1, 2)
"""The file descriptors of a node, in the order in which they are sent."""


def serve(requests: socket.socket) -> list[str]:
    """Fork a node for each request. Returns in each node, with its arguments; here it exits when the socket ends."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, MAX_REQUEST_BYTES, len(STANDARD))
        if not request:
            sys.exit()
        read, write = os.pipe()
        if _fork_twice(write):
            requests.detach()
            for descriptor, standard in zip(descriptors, STANDARD, strict=True):
                os.dup2(descriptor, standard)
            for descriptor in (*descriptors, read, write):
                os.close(descriptor)
            return os.fsdecode(request).split(os.fsdecode(SEPARATOR))
        requests.send(os.read(read, MAX_ANSWER_BYTES))
        for descriptor in (*descriptors, read, write):
            os.close(descriptor)


def _fork_twice(told: int) -> bool:
    """True in the new node. Its parent ends at once, so that the supervisor adopts it before its id is told."""
    between = _fork(told)
    if between:
        if between > 0:
            os.waitpid(between, 0)
        return False
    node = _fork(told)
    if node:
        if node > 0:
            os.write(told, str(node).encode())
        os._exit(0)
    return True


def _fork(told: int) -> int:
    """As os.fork; the errno of a failure is told, and returned as a negative number."""
    try:
        return os.fork()
    except OSError as error:
        failed = -(error.errno or 1)
        os.write(told, str(failed).encode())
        return failed


def run(modules: Sequence[str]) -> None:
    """Import the modules and serve, in a process that has no reactor. A node runs the `main` of its module."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # the lock of the lab ends with its supervisor
    end_with_parent(signal.SIGKILL)  # it reads no end of the socket while a signal holds it
    gc.disable()  # what is imported is no garbage
    for module in modules:
        import_module(module)
    gc.collect()
    gc.enable()
    gc.freeze()  # a collection in a node would write to, and so copy, the pages of all these objects
    argv = serve(socket.socket(fileno=0))
    setproctitle(" ".join(argv))
    module, *arguments = argv[len(PYTHON) :]
    sys.argv = [module, *arguments]
    import_module(module).main()


if __name__ == "__main__":
    run(sys.argv[1:])
