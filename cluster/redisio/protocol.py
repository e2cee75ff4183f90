"""One connection to Redis: commands out, replies and pushes in (RESP3, https://valkey.io/topics/protocol/)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from hiredis import PushNotification, Reader, ReplyError, pack_command
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.redisio.written import Written

Reply = Any
"""bytes, int, None, list, dict, set, or nested: what hiredis makes of a reply."""

_NOTHING = object()


class RedisProtocol(Protocol):
    """Pipelines: every command is written at once, replies come in the order of the commands.

    The transport gathers what is written in one reactor turn into one system call.
    """

    _log = Logger()
    transport: Any

    def __init__(self, on_push: Callable[[str, bytes], None], on_lost: Callable[[], None]) -> None:
        """`on_push(channel, message)` takes published messages; `on_lost` hears the end, before what waits fails."""
        self._on_push = on_push
        self._on_lost = on_lost
        self._reader = Reader(notEnoughData=_NOTHING)
        self._waiting: deque[Deferred[Reply] | None] = deque()

    @property
    def unanswered(self) -> int:
        """How many commands wait for their replies."""
        return len(self._waiting)

    def execute(self, *command: str | bytes | int) -> Deferred[Reply]:
        """Send a command. Fails with hiredis.ReplyError, or with ConnectionLost: then it may have been done or not."""
        if not self.connected:
            return fail(ConnectionLost("not connected to Redis"))
        self._write(command)
        reply = Written()
        self._waiting.append(reply)
        return reply

    def post(self, *command: str | bytes | int) -> None:
        """Send a command whose reply nobody waits for; an error reply is logged, a lost connection loses it."""
        if self.connected:
            self._write(command)
            self._waiting.append(None)

    def close(self) -> None:
        """End the connection, when all that was sent is written."""
        self.transport.loseConnection()

    def _write(self, command: tuple[str | bytes | int, ...]) -> None:
        self.transport.write(pack_command(command))  # type: ignore[arg-type]  # hiredis means tuple[…, ...]

    def dataReceived(self, data: bytes) -> None:
        """Twisted: replies came."""
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not _NOTHING:
            if type(reply) is PushNotification and reply[0] == b"message":
                self._on_push(reply[1].decode(), reply[2])
            else:  # the push that confirms a SUBSCRIBE stands where its reply would
                self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        waiting = self._waiting.popleft()
        if waiting is not None:
            if isinstance(reply, ReplyError):
                waiting.errback(reply)
            else:
                waiting.callback(reply)
        elif isinstance(reply, ReplyError):
            self._log.error("Redis refused a command: {error}", error=str(reply))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted: the connection ended; what was not replied to fails."""
        self.connected = 0
        self._on_lost()
        waiting, self._waiting = self._waiting, deque()
        for reply in waiting:
            if reply is not None:
                reply.errback(ConnectionLost("the connection to Redis was lost"))
