"""A connection to Redis, or to all nodes of a Redis Cluster, that comes back by itself."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectionLost
from twisted.internet.task import deferLater
from twisted.logger import Logger

from cluster.redisio.cluster import Cluster
from cluster.redisio.connection import UNREACHABLE, Connection, Open, open_connection
from cluster.redisio.protocol import Reply
from cluster.redisio.url import RedisUrl

FIRST_RETRY_S = 0.05
"""A Redis that restarts on the same machine is back within this order."""
LONGEST_RETRY_S = 5.0
MANY_UNANSWERED = 10_000
"""Commands; Redis does several times as many in a second."""


class RedisUnavailable(Exception):
    """There is no Redis at that address, or it does not let us in; the message says what to check."""


class RedisClient:
    """Commands and subscriptions of one user of Redis, over one connection that is made anew when it is lost.
    A cluster counts as one: it is lost with the first of its nodes.

    Nothing is repeated: a command that was under way fails with ConnectionLost, and so does one given while there
    is no connection. Who wants to repeat it does so from `when_connected`.
    """

    _log = Logger()

    def __init__(self, reactor: Any, url: RedisUrl, jitter: Callable[[], float]) -> None:
        """`jitter()` in [0, 1) spreads the attempts of many clients."""
        self._reactor = reactor
        self._url = url
        self.keeps_order = not url.is_cluster
        """What is written later takes effect later, whichever keys it is about; else only where they share a tag."""
        self._open: Open = Cluster().open if url.is_cluster else open_connection
        self._jitter = jitter
        self._connection: Connection | None = None
        self._channels: dict[str, Callable[[bytes], None]] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._reconnecting: Deferred[None] | None = None
        self._closing: Deferred[None] | None = None

    @property
    def connected(self) -> bool:
        """True while commands go through."""
        return self._connection is not None

    @property
    def is_slow(self) -> bool:
        """True while so many commands wait for their replies that what can be left out should be."""
        return self._connection is not None and self._connection.unanswered > MANY_UNANSWERED

    async def connect(self) -> None:
        """Connect for the first time. Raises RedisUnavailable; later losses are mended in the background."""
        try:
            await self._log_in()
        except UNREACHABLE as error:
            remedy = "is it running, and are user and password right?"
            raise RedisUnavailable(f"no Redis for us at {self._url}: {error}; {remedy}") from error

    async def close(self) -> None:
        """Disconnect for good."""
        if self._reconnecting is not None:
            self._reconnecting.cancel()
        if self._connection is not None:
            self._closing = Deferred()
            self._connection.close()
            await self._closing

    def execute(self, *command: str | bytes | int) -> Deferred[Reply]:
        """Send a command. Fails with hiredis.ReplyError, or with ConnectionLost: then it may have been done or not."""
        if self._connection is None:
            return fail(ConnectionLost("there is no connection to Redis"))
        return self._connection.execute(*command)

    def post(self, *command: str | bytes | int) -> None:
        """Send a command whose reply nobody waits for; an error reply is logged, a lost connection loses it."""
        if self._connection is not None:
            self._connection.post(*command)

    def when_connected(self, callback: Callable[[], None]) -> None:
        """Call it at once if connected, and after each new connection, when the subscriptions were sent again."""
        self._callbacks.append(callback)
        if self.connected:
            callback()

    def subscribe(self, channel: str, on_message: Callable[[bytes], None]) -> Deferred[Reply]:
        """Take what is published there, over this and each later connection. As `execute`, it may fail."""
        self._channels[channel] = on_message
        return self.execute("SUBSCRIBE", channel)

    def unsubscribe(self, channel: str) -> None:
        """Take no more of it."""
        if self._channels.pop(channel, None) is not None:
            self.post("UNSUBSCRIBE", channel)

    async def _log_in(self) -> None:
        connection: Connection | None = None

        def on_lost() -> None:
            if connection is not None and connection is self._connection:  # else it never got so far; see `connect`
                self._on_lost()

        connection = self._connection = await self._open(self._reactor, self._url, self._on_push, on_lost)
        for channel in self._channels:
            connection.post("SUBSCRIBE", channel)
        for callback in self._callbacks:
            callback()

    def _on_push(self, channel: str, message: bytes) -> None:
        on_message = self._channels.get(channel)
        if on_message is not None:  # nobody unsubscribed meanwhile
            on_message(message)

    def _on_lost(self) -> None:
        self._connection = None
        if self._closing is not None:
            self._closing.callback(None)
            return
        self._log.warn("Lost the connection to Redis at {url}", url=str(self._url))
        self._reconnecting = Deferred.fromCoroutine(self._reconnect())
        self._reconnecting.addErrback(lambda failure: self._log.failure("Reconnecting to Redis", failure))

    async def _reconnect(self) -> None:
        for attempt in count():
            longest_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(attempt, 10))
            try:
                await deferLater(self._reactor, longest_s * (1 + self._jitter()) / 2)
                await self._log_in()
            except UNREACHABLE as error:
                self._log.info("No Redis at {url} yet: {error}", url=str(self._url), error=str(error))
            except CancelledError:
                return  # closed meanwhile
            else:
                self._log.info("Connected to Redis at {url} again", url=str(self._url))
                return
