"""The state of the nodes of a lab: from the engine, or written by the supervisor for the commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cluster.kinds import known
from cluster.lab.errors import LabError
from cluster.lab.private import write_private

NodeKind = Annotated[str, Meta(extra_json_schema={"enum": sorted({"redis", "server", *known()} - {"xmpplab"})})]
"""`server`: one of our own kind."""
State = Literal["starting", "running", "paused", "restarting", "stopped"]
NodeAction = Literal["kill", "pause", "resume", "restart"]
"""What a command may do to one node: a crash, a hang, its end, and an orderly restart."""


_BLOCK_BYTES = 4096
"""A file system allocates blocks of this size, or of a part of it."""
_LOOKS = 100


class NodeState(msgspec.Struct):
    """One node of the lab: a process or a container."""

    name: str
    kind: NodeKind
    pid: int | None = None
    state: State = "stopped"
    """running: it is ready; paused: a command paused it; restarting: it died and is restarted after a pause."""
    restarts: int = 0
    started_utc: str = ""
    """When its process was started, ISO 8601."""
    last_exit: str = ""
    """How its last process ended, if unexpectedly: `exit code 1`, `signal SIGKILL`."""


class LabState(msgspec.Struct):
    """All processes of the lab."""

    nodes: list[NodeState]

    def save(self, path: Path) -> None:
        """Write the state; on a full disk over the previous one, which takes no room. Raises OSError."""
        raw = msgspec.json.format(msgspec.json.encode(self))
        raw = raw.ljust((len(raw) // _BLOCK_BYTES + 1) * _BLOCK_BYTES)
        try:
            write_private(path, raw)
        except OSError:
            with path.open("r+b", buffering=0) as file:
                if os.fstat(file.fileno()).st_size < len(raw):
                    raise
                file.write(raw)

    @classmethod
    def load(cls, path: Path) -> LabState | None:
        """The state that `save` wrote; None if the supervisor has not written it yet."""
        for _ in range(_LOOKS):
            try:
                return msgspec.json.decode(path.read_bytes(), type=cls)
            except FileNotFoundError:
                return None
            except msgspec.DecodeError as error:  # it was being overwritten just then
                damage = error
        raise LabError(f"{path} is damaged ({damage}); run `xmpplab down`, then `up`")
