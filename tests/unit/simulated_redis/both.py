"""A real Valkey and the simulated one, side by side: each command goes to both."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from typing import Any

from hiredis import PushNotification, Reader, ReplyError, pack_command

from cluster.simulated_redis.acl import Users
from cluster.simulated_redis.program import Program
from cluster.simulated_redis.resp import CommandError, Push, encoded
from tests.harness import Valkey

Word = str | bytes | int
_IN_SCRIPT = re.compile(r" script: on @user_script:\d+\.$")


class Real:
    """One connection to a real Valkey."""

    def __init__(self, valkey: Valkey) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(f"{valkey.folder}/redis.sock")
        self._reader = Reader()
        self.heard: list[Any] = []

    def ask(self, *command: Word) -> Any:
        """The reply; what is published comes to `heard`."""
        self._socket.sendall(pack_command(command))
        return self._reply()

    def _reply(self) -> Any:
        while True:
            while (reply := self._reader.gets()) is False:
                self._reader.feed(self._socket.recv(65_536))
            if type(reply) is not PushNotification or reply[0] != b"message":
                return reply
            self.heard.append([*reply])

    def close(self) -> None:
        self._socket.close()


class Double:
    """One connection to the simulated one."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.heard: list[Any] = []
        self._session = program.new_session(self._hear)
        self.now_ms = 1_700_000_000_000

    def _hear(self, push: Push) -> None:
        self.heard.append([*push])

    def ask(self, *command: Word) -> Any:
        """The reply, read from its bytes."""
        reader = Reader()
        words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
        try:
            raw = encoded(self._program.execute(self._session, words, self.now_ms))
        except CommandError as error:
            raw = encoded(error)
        reader.feed(raw)
        return reader.gets()


class Both:
    """Two connections to each: one for commands, one that listens."""

    def __init__(self, valkey: Valkey, users: Users | None = None, login: tuple[str, str] | None = None) -> None:
        program = Program(users or Users(), lambda *write: None)
        self._real, self._double = Real(valkey), Double(program)
        self._real_ear, self._double_ear = Real(valkey), Double(program)
        self.same("HELLO", 3, *(("AUTH", *login) if login else ()))
        for ear in (self._real_ear, self._double_ear):
            ear.ask("HELLO", 3)

    def listen(self, channels: Iterable[str]) -> None:
        """Hear what is published."""
        for channel in channels:
            confirmed = [[*ear.ask("SUBSCRIBE", channel)] for ear in (self._real_ear, self._double_ear)]
            assert confirmed[0] == confirmed[1]

    def same(self, *command: Word) -> Any:
        """Asks both; the replies are the same, and so is what was published."""
        real, double = self._real.ask(*command), self._double.ask(*command)
        told, expected = comparable(double, command), comparable(real, command)
        assert told == expected, command
        self._real_ear.ask("PING")
        assert self._double_ear.heard == self._real_ear.heard, command
        return double

    def scan(self, key: str, count: int) -> None:
        """Reads a whole hash in pages."""
        assert _scanned(self._double, key, count) == _scanned(self._real, key, count)

    def close(self) -> None:
        self._real.close()
        self._real_ear.close()


def _scanned(where: Real | Double, key: str, count: int) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    cursor = b"0"
    while True:
        cursor, fields = where.ask("HSCAN", key, cursor, "COUNT", count)
        found.update(zip(fields[::2], fields[1::2], strict=True))
        if cursor == b"0":
            return found


def comparable(reply: Any, command: tuple[Word, ...]) -> Any:
    """Without what no client relies on: the place of an error in a script, the order of a set, the inside of a
    stream."""
    if isinstance(reply, ReplyError):
        return "error", _IN_SCRIPT.sub("", str(reply))
    name = str(command[0]).upper()
    if name == "SMEMBERS" and isinstance(reply, (list, set)):
        return sorted(reply)
    if name == "XINFO" and isinstance(reply, dict):
        return {key: value for key, value in reply.items() if not key.startswith(b"radix-tree")}
    if name == "HELLO" and isinstance(reply, dict):
        return {key: reply[key] for key in (b"server", b"proto", b"mode", b"role")}
    return reply
