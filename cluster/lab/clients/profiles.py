"""The profiles of client programs in the lab's folder, each locked while its program runs."""

from __future__ import annotations

import fcntl
import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from cluster.lab.folder import LabFolder
from cluster.lab.wait import wait_until

_LOCK = "lock"
PATIENCE_S = 5.0
"""How long a program has to end by itself."""


def lock(profile: Path) -> bool:
    """Lock the profile until this process, or the program that takes its place, ends; False if a program uses it.

    Two processes of one program would damage it.
    """
    descriptor = os.open(profile / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    os.set_inheritable(descriptor, True)
    return True


def end_all(folder: LabFolder) -> None:
    """End the programs that use profiles of the lab: what they write would outlive it."""
    locks = {str(each.resolve()) for each in folder.clients.glob(f"*/*/{_LOCK}") if _is_held(each)}
    for how in (signal.SIGTERM, signal.SIGKILL):
        for process in _with_open(locks) if locks else ():
            with suppress(psutil.Error):  # it ends just now
                process.send_signal(how)
        if wait_until(lambda: not any(map(_is_held, locks)), PATIENCE_S):
            return


def _with_open(files: set[str]) -> list[psutil.Process]:
    """The processes of this user that have one of these files open."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(each.path in files for each in process.open_files()):
                found.append(process)
    return found


def _is_held(lock: str | Path) -> bool:
    try:
        with open(lock, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:  # the program, or somebody else, has removed it
        return False
    return False
