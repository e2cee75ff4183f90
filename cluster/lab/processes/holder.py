"""Whoever has a lab, and is asked to let it go."""

from __future__ import annotations

import contextlib
import os
import signal

from cluster.lab.folder import LabFolder
from cluster.lab.wait import wait_until

STOP_TIMEOUT_S = 15.0
"""Servers get 5 s and then Redis gets 5 s before a supervisor ends them by force."""


def end_holder(folder: LabFolder, pid: int) -> None:
    """Ask the supervisor (or an `up` that is still at work) to end, then insist."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_until(lambda: not folder.is_locked(), STOP_TIMEOUT_S):
            break
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)  # ours when the same command brought the lab up
