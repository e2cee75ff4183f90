"""The program of a Redis, without its connections and its clock: it executes commands."""

from __future__ import annotations

from collections.abc import Callable

from cluster.simulated_redis import commands
from cluster.simulated_redis.acl import User, Users
from cluster.simulated_redis.command import Args, Command, find
from cluster.simulated_redis.database import Database
from cluster.simulated_redis.lua import Scripts
from cluster.simulated_redis.resp import CommandError, Push, Reply
from cluster.simulated_redis.session import Channels, Session

__all__ = ["Program", "commands"]

ALWAYS = ("hello", "auth")
"""Commands that need no rights."""


class Engine:
    """Executes commands and scripts on one database, without looking at rights of users."""

    def __init__(self, check: Callable[[Command, Args], None] = lambda command, args: None) -> None:
        """`check` raises CommandError for a command of a script that is not allowed."""
        self.database = Database()
        self.database.run_script = Scripts(self._call).run
        self._check = check

    def run(self, command: Command, args: Args, now_ms: int) -> Reply:
        """Do it at this time. Raises CommandError."""
        self.database.at(now_ms)
        return command.run(self.database, args)

    def _call(self, args: Args) -> Reply:
        """A command of a script."""
        try:
            command = find(args)
        except CommandError as error:
            is_known = "wrong number" in error.text
            what = "Wrong number of args calling" if is_known else "Unknown"
            raise CommandError(f"ERR {what} command{'' if is_known else ' called'} from script") from None
        if command.is_of_session or command.name == "eval":
            raise CommandError("ERR This Valkey command is not allowed from script")
        self._check(command, args)
        return command.run(self.database, args)


class Program:
    """What a Redis does with the commands of its connections. Everything is done at once, and in order."""

    def __init__(self, users: Users, written: Callable[[Command, Args, int], None]) -> None:
        """`written` gets each command that may have changed the database, with its time."""
        self.engine = Engine(self._check_script)
        self._channels = Channels()
        self._users = users
        self._written = written
        self._user: User | None = None  # of the script that runs
        self.engine.database.publish = self._channels.publish

    def new_session(self, push: Callable[[Push], None]) -> Session:
        """For a new connection."""
        return Session(self._users, self._channels, push)

    def forget_connections(self) -> None:
        """Its process is gone, and all connections with it."""
        self._channels.clear()

    def execute(self, session: Session, args: Args, now_ms: int) -> Reply:
        """Execute a command of a connection. Raises CommandError."""
        command = find(args)
        user = session.user
        if command.name not in ALWAYS:
            if user is None:
                raise CommandError("NOAUTH Authentication required.")
            user.check(command, args)
        if command.is_of_session:
            return command.run(session, args)
        self._user = user
        if command.is_write:
            self._written(command, args, now_ms)
        return self.engine.run(command, args, now_ms)

    def _check_script(self, command: Command, args: Args) -> None:
        if self._user is not None:
            try:
                self._user.check(command, args)
            except CommandError as error:
                raise CommandError(f"ERR ACL failure in script: {error.text.partition(' ')[2]}") from None
