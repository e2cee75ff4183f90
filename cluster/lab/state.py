"""What is known of the parts of a lab: told by the engine, or written by the supervisor for the commands."""

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
"""What a command may do to one node: as a crash, a process that hangs, its end, and an orderly new start."""


_BLOCK_BYTES = 4096
"""A file system gives room in blocks of this size, or of a part of it."""
_LOOKS = 100


class NodeState(msgspec.Struct):
    """One part of the lab: a process or a container."""

    name: str
    kind: NodeKind
    pid: int | None = None
    state: State = "stopped"
    """running: it answers; paused: a command stopped it; restarting: it died and is started again after a pause."""
    restarts: int = 0
    started_utc: str = ""
    """When its process was started, ISO 8601."""
    last_exit: str = ""
    """How its last process ended, when that was not asked for: `exit code 1`, `signal SIGKILL`."""


class LabState(msgspec.Struct):
    """All processes of the lab."""

    nodes: list[NodeState]

    def save(self, path: Path) -> None:
        """Write it; on a full disk over what is there, which takes no room. Raises OSError."""
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
        """What `save` wrote; None before the supervisor wrote anything."""
        for _ in range(_LOOKS):
            try:
                return msgspec.json.decode(path.read_bytes(), type=cls)
            except FileNotFoundError:
                return None
            except msgspec.DecodeError as error:  # it was just being written over
                damage = error
        raise LabError(f"{path} is damaged ({damage}); run `xmpplab down`, then `up`")
