"""The signals of commands to a lab's supervisor, and to processes that a killed supervisor left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

import psutil

from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.state import LabState, NodeState
from cluster.lab.wait import wait_until

APPLY = signal.SIGHUP
"""To a supervisor: read the plan again, start the new nodes, stop those that are gone."""
STOP_TIMEOUT_S = 15.0
"""Servers get 5 s and then Redis gets 5 s before a supervisor ends them by force."""
STOP_TIMEOUT_PER_NODE_S = 0.02
"""In addition: a server takes some milliseconds to end its streams, and those of one process do so together."""
PATIENCE_S = 5.0
"""Orphans end when their supervisor's pipe closes; this is for one that hangs."""


def end_holder(folder: LabFolder, pid: int) -> None:
    """Ask the owner of the lab's lock to end, a supervisor or an `up` at work, then kill it."""
    _end(pid, lambda: not folder.is_locked(), STOP_TIMEOUT_S + STOP_TIMEOUT_PER_NODE_S * len(_nodes(folder)))
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)  # a child if the same command brought the lab up


def end_orphans(folder: LabFolder) -> None:
    """End the processes that a killed supervisor left, by the pids in its state. The caller has the lab's lock."""
    for pid in {node.pid for node in _nodes(folder)}:
        if pid is not None:
            _end_orphan(folder, pid)


def _nodes(folder: LabFolder) -> list[NodeState]:
    """As far as its state is known; orphans of a damaged one end without a signal."""
    state = None
    with suppress(LabError):
        state = LabState.load(folder.state_file)
    return state.nodes if state else []


def _end_orphan(folder: LabFolder, pid: int) -> None:
    if _is_ours(folder, pid):
        _end(pid, lambda: not _is_ours(folder, pid), PATIENCE_S)


def _end(pid: int, is_over: Callable[[], bool], patience_s: float) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_until(is_over, patience_s):
            return


def _is_ours(folder: LabFolder, pid: int) -> bool:
    """Whether the pid is still a process of this lab, which names its folder or socket, not another program's."""
    try:
        command = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
    return str(folder.path) in command or str(folder.redis_socket) in command
