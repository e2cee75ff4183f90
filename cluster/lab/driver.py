"""Brings a plan up as processes of this machine, and down again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from cluster.lab import redis
from cluster.lab.addresses import first_free
from cluster.lab.certificates import certify
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.logs import tail
from cluster.lab.orphans import end_orphans
from cluster.lab.state import LabState, NodeState
from cluster.topology.plan import Plan

READY_TIMEOUT_S = 60.0
"""Two domains take about a second; a hundred on a small machine take longer."""

STOP_TIMEOUT_S = 30.0
"""Servers get 5 s, then Redis 5 s, before the supervisor ends them by force."""

POLL_S = 0.02
HOPELESS_RESTARTS = 3
"""A part that dies this often before it has answered once will not come up."""

SHOWN_LOG_LINES = 15


def up(folder: LabFolder, plans: Sequence[Plan]) -> tuple[Plan, bool]:
    """Bring the lab up and wait until every part answers; the plan that runs, and False if it ran already.

    `plans` are the same lab at different addresses: the first whose addresses are free is taken. Raises LabError, and
    then nothing is left running.
    """
    lock = folder.lock()
    if lock is None:
        return _running(folder, plans), False
    try:
        end_orphans(folder, wait_until)
        plan = first_free(plans)
        _prepare(folder, plan)
        supervisor = _start(folder, lock)
    except BaseException:
        folder.remove_if_new()
        raise
    finally:
        os.close(lock)
    try:
        _wait_ready(folder, plan, supervisor)
    except BaseException:
        down(folder, keep=True)
        raise
    return plan, True


def _running(folder: LabFolder, plans: Sequence[Plan]) -> Plan:
    """The plan of a lab that somebody holds, when it is one of these and answers."""
    if not wait_until(lambda: folder.plan_file.exists() or not folder.is_locked(), READY_TIMEOUT_S):
        raise LabError(f"{folder.path} is held by another command; wait for it, or end it")
    plan = folder.plan()
    if plan not in plans:
        raise LabError(f"a lab {folder.name!r} runs already, from another topology or another --redis; run `xmpplab down` first")
    _wait_ready(folder, plan, None)
    return plan
