"""The append-only file of a Redis: what is left after a crash (https://valkey.io/topics/persistence/)."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum

from cluster.simulated_redis.command import Args, Command
from cluster.simulated_redis.database import Database
from cluster.simulated_redis.program import Engine
from cluster.simulated_redis.resp import CommandError


class Fsync(Enum):
    """When the file is flushed to the disk (`appendfsync`)."""

    ALWAYS = "always"
    """Before each reply."""
    EVERYSEC = "everysec"
    """Once a second."""


class AppendOnlyFile:
    """All that was executed is with the operating system before it is replied to, so the end of the process loses
    nothing. The end of the machine loses what was not flushed."""

    def __init__(self, fsync: Fsync) -> None:
        self._flushed = Engine() if fsync is Fsync.EVERYSEC else None
        self._written: list[tuple[Command, Args, int]] = []
        self.is_behind = False
        """Something was written since this was set to False."""

    def write(self, command: Command, args: Args, now_ms: int) -> None:
        """Append a command that is executed at this time."""
        self.is_behind = True
        if self._flushed is not None:
            self._written.append((command, args, now_ms))

    def flush(self) -> None:
        """Flush the file to the disk."""
        written, self._written = self._written, []
        if self._flushed is not None:
            for command, args, now_ms in written:
                with suppress(CommandError):  # it failed the first time too
                    self._flushed.run(command, args, now_ms)

    def lose_the_rest(self, database: Database) -> None:
        """The machine has lost its power: what the disk has is all that this database has now."""
        self._written.clear()
        if self._flushed is not None:
            database.become(self._flushed.database)
