"""Processes that end with their parent, even if that is killed (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that a process gets when its parent ends. It outlives execve(2), and children do not have it."""


def end_with_parent(number: signal.Signals) -> None:
    """Let the system send this signal to this process when its parent ends."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        sys.exit("the supervisor is gone")
