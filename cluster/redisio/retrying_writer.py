"""Commands that are repeated until Redis has answered them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.pipelined import PipelinedReply
from cluster.redisio.client import RedisClient
from cluster.redisio.protocol import Command, Reply


class RetryingWriter:
    """Writes commands that may be executed twice without harm.

    Commands without a reply when the connection is lost are written again, in order, over the next one: before those of
    callers that registered with the client later than this. In a cluster, all keys are of one domain.
    """

    _log = Logger()

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._unanswered: deque[tuple[Sequence[Command], PipelinedReply]] = deque()
        self._lost = self._is_refused = False
        self._refused: Exception | None = None  # commands without a reply, whose last one is still to come
        client.when_connected(self._write_again)

    def write(self, commands: Sequence[Command]) -> PipelinedReply:
        """Fires with the reply to the last command.

        If Redis refuses any of them, as on a full disk, that is logged, and it fires with None: these writes help
        later, and the event that they are about has happened.
        """
        written = PipelinedReply()
        self._unanswered.append((commands, written))
        self._write(commands)
        return written

    def _write(self, commands: Sequence[Command]) -> None:
        self._client.execute_all(commands, self).addCallbacks(self._on_answered, self._on_failed)

    def _write_again(self) -> None:
        if self._lost:  # otherwise the connection was another master's
            self._lost = False
            for commands, _ in [*self._unanswered]:
                self._write(commands)

    def callback(self, reply: Reply) -> None:
        """A command before the last was executed."""

    def errback(self, error: Exception) -> None:
        """A command before the last failed."""
        if not isinstance(error, ConnectionLost):
            self._refused = error

    def _on_answered(self, reply: Reply) -> None:
        if self._refused is not None:
            self._refuse(self._refused)
            return
        self._is_refused = False
        self._unanswered.popleft()[1].callback(reply)  # replies come in the order of the commands

    def _on_failed(self, failure: Failure) -> None:
        if isinstance(failure.value, ConnectionLost):
            self._lost, self._refused = True, None
        else:
            self._refuse(failure.value)

    def _refuse(self, error: BaseException | None) -> None:
        self._refused = None
        if not self._is_refused:  # the first of many
            self._is_refused = True
            self._log.error("Redis refuses what is to be kept: {error}", error=str(error))
        self._unanswered.popleft()[1].callback(None)
