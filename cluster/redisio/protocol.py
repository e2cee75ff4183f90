"""One connection to Redis: commands out, replies and pushes in (RESP3, https://valkey.io/topics/protocol/)."""

from __future__ import annotations

import typing
from collections import deque
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

from hiredis import PushNotification, Reader, ReplyError, pack_command
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Clock
from cluster.base.pipelined import PipelinedReply
from cluster.redisio.refusal import error_reply
from cluster.redisio.silence import Patience, Watch

Command = tuple[str | bytes | int, ...]
"""Its name and its arguments."""
Reply = Any
"""bytes, int, None, list, dict, set, or nested: what hiredis makes of a reply."""

NOT_HERE = ("MOVED ", "ASK ", "TRYAGAIN", "CLUSTERDOWN", "READONLY", "MASTERDOWN", "LOADING")
"""Beginnings of errors that say that another Redis, or none for now, has the key. Whoever uses the connection repeats
what was lost, in order, over the next one. So nothing is redirected: the connection ends, and the next one begins with
what the nodes say then."""

_NOTHING = object()


class Listener(typing.Protocol):
    """Hears what becomes of many commands, as a Deferred of one."""

    def callback(self, reply: Reply) -> None: ...
    def errback(self, error: Exception) -> None: ...


class RedisProtocol(Protocol):
    """Pipelines: every command is written at once, replies come in the order of the commands.

    The transport gathers what is written in one reactor turn into one system call. It ends when the other side is
    silent for too long, or has not got the keys that it is asked for.
    """

    _log = Logger()
    transport: Any

    def __init__(
        self, clock: Clock, patience: Patience, on_push: Callable[[str, bytes], None], on_lost: Callable[[], None]
    ) -> None:
        """`on_push(channel, message)` takes published messages.

        `on_lost` hears the end, before what waits fails.
        """
        self.is_given_up = False
        """It ended here, not at the other end: what was written may be done yet."""
        self.is_over = False
        self._on_push = on_push
        self._on_lost = on_lost
        self._reader = Reader(replyError=error_reply, notEnoughData=_NOTHING)
        self._waiting: deque[Deferred[Reply] | Listener | None] = deque()
        self._last_refusal = ""
        self._watch = Watch(clock, patience, waits=lambda: bool(self._waiting), ping=self._ask, give_up=self._give_up)
        self._owed = 0
        self._drained: Deferred[None] = Deferred()

    @property
    def unanswered(self) -> int:
        """How many commands wait for their replies."""
        return len(self._waiting)

    def execute(self, *command: str | bytes | int) -> Deferred[Reply]:
        """Send a command. Fails with hiredis.ReplyError, or with ConnectionLost: then it may have been done or not."""
        if self.is_over or not self.connected:
            return fail(ConnectionLost("not connected to Redis"))
        reply = PipelinedReply()
        self._write(_packed(command), reply)
        return reply

    def execute_all(self, commands: Sequence[Command], listener: Listener) -> Deferred[Reply]:
        """Send several commands: fires with the reply to the last, as `execute`; the `listener` hears of the others."""
        if self.is_over or not self.connected:
            return fail(ConnectionLost("not connected to Redis"))
        reply = PipelinedReply()
        self._write(b"".join(map(_packed, commands)), *repeat(listener, len(commands) - 1), reply)
        return reply

    def post(self, *command: str | bytes | int) -> None:
        """Send a command whose reply nobody waits for; an error reply is logged, a lost connection loses it."""
        if self.connected and not self.is_over:
            self._write(_packed(command), None)

    def ping(self) -> Deferred[Reply]:
        """Fires when all that was written before is replied to. Fails with ConnectionLost.

        A Redis that cannot write to its disk refuses it, and is there all the same.
        """
        return self.execute("PING").addErrback(_ignore, ReplyError)

    def _ask(self) -> None:
        self.ping().addErrback(_ignore, ConnectionLost)

    def close(self) -> None:
        """End the connection, when all that was sent is written."""
        self.transport.loseConnection()

    def abort(self, why: str = "the connection to Redis was given up") -> None:
        """End it now."""
        self._end(ConnectionLost(why))
        self.transport.abortConnection()

    def drained(self) -> Deferred[None]:
        """Of a connection that was given up: fires when nothing that was written over it can be done any more."""
        return self._drained

    def _write(self, packed: bytes, *replies: Deferred[Reply] | Listener | None) -> None:
        was_idle = not self._waiting
        self.transport.write(packed)
        self._waiting.extend(replies)
        if was_idle:
            self._watch.begin()

    def dataReceived(self, data: bytes) -> None:
        """Twisted: replies came."""
        self._reader.feed(data)
        if not (self.is_over or self._watch.hear()):
            self._log.warn("Redis answered too late to be believed")
            self._give_up()
        while (reply := self._reader.gets()) is not _NOTHING:
            if type(reply) is PushNotification and reply[0] == b"message":
                if not self.is_over:
                    self._on_push(reply[1].decode(), reply[2])
            elif self.is_over:
                self._owe(self._owed - 1)
            else:  # the push that confirms a SUBSCRIBE stands where its reply would
                self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        if isinstance(reply, ReplyError) and str(reply).startswith(NOT_HERE):
            self._log.warn("Redis says: {error}", error=str(reply))
            self.abort(str(reply))
            return
        waiting = self._waiting.popleft()
        if waiting is not None:
            if isinstance(reply, ReplyError):
                waiting.errback(reply)
            else:
                waiting.callback(reply)
        elif isinstance(reply, ReplyError) and str(reply) != self._last_refusal:  # the first of many
            self._last_refusal = str(reply)
            self._log.error("Redis refused a command: {error}", error=self._last_refusal)

    def _give_up(self) -> None:
        """What was written may still be done, when Redis goes on: so stay, until it is or the other end has gone."""
        self.is_given_up = True
        self._owe(len(self._waiting))
        self._end(ConnectionLost("Redis did not answer in time"))

    def _owe(self, replies: int) -> None:
        self._owed = replies
        if not replies and not self._drained.called:
            self._drained.callback(None)
            self.transport.abortConnection()

    def _end(self, error: ConnectionLost) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._watch.end()
        self._on_lost()
        waiting, self._waiting = self._waiting, deque()
        for reply in waiting:
            if reply is not None:
                reply.errback(error)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted: the connection ended; what was not replied to fails."""
        self.connected = 0
        if not self._drained.called:
            self._drained.callback(None)
        self._end(ConnectionLost("the connection to Redis was lost"))


def _packed(command: Command) -> bytes:
    packed: bytes = pack_command(command)  # type: ignore[arg-type]  # hiredis means tuple[…, ...]
    return packed


def _ignore(failure: Failure, kind: type[Exception]) -> None:
    failure.trap(kind)
