"""Processes of a lab whose supervisor was killed: found by the pids it left, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

from cluster.lab.folder import LabFolder
from cluster.lab.state import LabState

PATIENCE_S = 5.0
"""Orphans end by themselves when their supervisor's pipe closes; this is for one that hangs."""


def end_orphans(folder: LabFolder, wait_for: Callable[[Callable[[], bool], float], bool]) -> None:
    """Return when none is left. Only for a lab that nobody holds; `wait_for(condition, timeout_s)` polls."""
    state = LabState.load(folder.state_file)
    for node in state.nodes if state else []:
        pid = node.pid
        if pid is None or not _is_ours(pid, folder):
            continue
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.kill(pid, number)
            if wait_for(lambda pid=pid: not _is_ours(pid, folder), PATIENCE_S):  # type: ignore[misc]
                break


def _is_ours(pid: int, folder: LabFolder) -> bool:
    """A pid may have been given to another program since: ours name the lab's folder or socket."""
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return str(folder.path) in shown.stdout or str(folder.redis_socket) in shown.stdout
