"""Commands that are given again until Redis has answered them."""

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
    """Writes what does no harm when it is done twice.

    What Redis has not answered when the connection is lost is written again, in order, over the next one: before
    those write there who asked the client for its connections later than this. In a cluster, all is about one domain.
    """

    _log = Logger()

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._unanswered: deque[tuple[Sequence[Command], PipelinedReply]] = deque()
        self._lost = self._is_refused = False
        self._refused: Exception | None = None  # of the commands that are answered next, whose last one is to come
        client.when_connected(self._write_again)

    def write(self, commands: Sequence[Command]) -> PipelinedReply:
        """Fires with the reply to the last command.

        Where Redis refuses any of them, as on a full disk, that is logged, and it fires with None: what is written so
        is a help for later, and what it is about has happened.
        """
        written = PipelinedReply()
        self._unanswered.append((commands, written))
        self._write(commands)
        return written

    def _write(self, commands: Sequence[Command]) -> None:
        self._client.execute_all(commands, self).addCallbacks(self._on_answered, self._on_failed)

    def _write_again(self) -> None:
        if self._lost:  # else it was another master's connection
            self._lost = False
            for commands, _ in [*self._unanswered]:
                self._write(commands)

    def callback(self, reply: Reply) -> None:
        """One of the commands before the last was done."""

    def errback(self, error: Exception) -> None:
        """One of them was not."""
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
