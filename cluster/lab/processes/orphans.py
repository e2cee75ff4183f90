"""Processes of a lab whose supervisor was killed: found by the pids it left, and ended."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import psutil

from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.state import LabState
from cluster.lab.wait import wait_until

PATIENCE_S = 5.0
"""Orphans end by themselves when their supervisor's pipe closes; this is for one that hangs."""


def end_orphans(folder: LabFolder) -> None:
    """Return when none is left. Only for a lab whose lock the caller has."""
    state = None
    with suppress(LabError):  # it is damaged: they end by themselves
        state = LabState.load(folder.state_file)
    for pid in [node.pid for node in state.nodes] if state else []:
        if pid is not None and _is_ours(folder, pid):
            _end(folder, pid)


def _end(folder: LabFolder, pid: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_until(lambda: not _is_ours(folder, pid), PATIENCE_S):
            return


def _is_ours(folder: LabFolder, pid: int) -> bool:
    """The pid may have been given to another program since: ours name the lab's folder or socket."""
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    return any(str(folder.path) in word or str(folder.redis_socket) in word for word in words)
