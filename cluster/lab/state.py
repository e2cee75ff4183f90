"""What the supervisor knows of its processes, as it writes it for the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from cluster.lab.folder import write_private

NodeKind = Literal["redis", "server"]
State = Literal["starting", "running", "restarting", "stopped"]


class NodeState(msgspec.Struct):
    """One process of the lab."""

    name: str
    kind: NodeKind
    pid: int | None = None
    state: State = "stopped"
    """running: it answers; restarting: it died and is started again after a pause."""
    restarts: int = 0
    started_utc: str = ""
    """When its process was started, ISO 8601."""
    last_exit: str = ""
    """How its last process ended, when that was not asked for: `exit code 1`, `signal SIGKILL`."""


class LabState(msgspec.Struct):
    """All processes of the lab."""

    nodes: list[NodeState]

    def save(self, path: Path) -> None:
        write_private(path, msgspec.json.format(msgspec.json.encode(self)))

    @classmethod
    def load(cls, path: Path) -> LabState | None:
        """What `save` wrote; None before the supervisor wrote anything."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return None
