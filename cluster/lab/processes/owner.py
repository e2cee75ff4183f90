"""The process that a lab belongs to: when it ends, in whatever way, its lab is taken down."""

from __future__ import annotations

import psutil

from cluster.lab.errors import BadInput

_GONE = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class Owner:
    """A process by its id and its start, so that a later process with this id is another one."""

    def __init__(self, pid: int) -> None:
        """Raises BadInput if there is no such process."""
        self.pid = pid
        try:
            self._process = psutil.Process(pid)
        except (psutil.NoSuchProcess, OverflowError, ValueError):
            raise BadInput(f"no process has the id {pid}; name a running one, which the lab is to end with") from None

    def is_alive(self) -> bool:
        """False once it has ended, even if its parent has not asked for its exit code yet."""
        try:
            return self._process.is_running() and self._process.status() not in _GONE
        except psutil.NoSuchProcess:
            return False
