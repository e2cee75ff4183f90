"""A connection to Redis that comes back by itself."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from hiredis import ProtocolError, ReplyError
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectError, ConnectionClosed, ConnectionLost, DNSLookupError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from cluster.redisio.protocol import RedisProtocol, Reply
from cluster.redisio.silence import notice_silence
from cluster.redisio.url import RedisUrl

FIRST_RETRY_S = 0.05
"""A Redis that restarts on the same machine is back within this order."""
LONGEST_RETRY_S = 5.0
MANY_UNANSWERED = 10_000
"""Commands; Redis does several times as many in a second."""

_UNREACHABLE = (ReplyError, ProtocolError, ConnectError, ConnectionClosed, DNSLookupError)


class RedisUnavailable(Exception):
    """There is no Redis at that address, or it does not let us in; the message says what to check."""


class RedisClient:
    """Commands and subscriptions of one user of Redis, over one connection that is made anew when it is lost.

    Nothing is repeated: a command that was under way fails with ConnectionLost, and so does one given while there
    is no connection. Who wants to repeat it does so from `when_connected`.
    """

    _log = Logger()

    def __init__(self, reactor: Any, url: RedisUrl, jitter: Callable[[], float]) -> None:
        """`jitter()` in [0, 1) spreads the attempts of many clients."""
        self._reactor = reactor
        self._url = url
        self._jitter = jitter
        self._protocol: RedisProtocol | None = None
        self._channels: dict[str, Callable[[bytes], None]] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._reconnecting: Deferred[None] | None = None
        self._closing: Deferred[None] | None = None

    @property
    def connected(self) -> bool:
        """True while commands go through."""
        return self._protocol is not None

    @property
    def is_slow(self) -> bool:
        """True while so many commands wait for their replies that what can be left out should be."""
        return self._protocol is not None and self._protocol.unanswered > MANY_UNANSWERED

    async def connect(self) -> None:
        """Connect for the first time. Raises RedisUnavailable; later losses are mended in the background."""
        try:
            await self._log_in()
        except _UNREACHABLE as error:
            remedy = "is it running, and are user and password right?"
            raise RedisUnavailable(f"no Redis for us at {self._url}: {error}; {remedy}") from error

    async def close(self) -> None:
        """Disconnect for good."""
        if self._reconnecting is not None:
            self._reconnecting.cancel()
        if self._protocol is not None:
            self._closing = Deferred()
            self._protocol.transport.loseConnection()
            await self._closing

    def execute(self, *command: str | bytes | int) -> Deferred[Reply]:
        """Send a command. Fails with hiredis.ReplyError, or with ConnectionLost: then it may have been done or not."""
        if self._protocol is None:
            return fail(ConnectionLost("there is no connection to Redis"))
        return self._protocol.execute(*command)

    def post(self, *command: str | bytes | int) -> None:
        """Send a command whose reply nobody waits for; an error reply is logged, a lost connection loses it."""
        if self._protocol is not None:
            self._protocol.post(*command)

    def when_connected(self, callback: Callable[[], None]) -> None:
        """Call it at once if connected, and after each new connection, when the subscriptions were sent again."""
        self._callbacks.append(callback)
        if self.connected:
            callback()

    async def subscribe(self, channel: str, on_message: Callable[[bytes], None]) -> None:
        """Take what is published there, over this and each later connection. Raises hiredis.ReplyError."""
        self._channels[channel] = on_message
        await self.execute("SUBSCRIBE", channel)

    async def _log_in(self) -> None:
        protocol = RedisProtocol(self._on_push, lambda: self._on_lost(protocol))
        await connectProtocol(self._url.endpoint(self._reactor), protocol)  # type: ignore[no-untyped-call]
        if self._url.scheme != "unix":
            notice_silence(protocol.transport)
        try:
            url = self._url
            login = ("AUTH", url.user or "default", url.password) if url.password else ()
            await protocol.execute("HELLO", 3, *login)
            if url.database:
                await protocol.execute("SELECT", url.database)
            await protocol.execute("PING")  # refused as long as Redis reads its file after a start
        except BaseException:
            protocol.transport.abortConnection()
            raise
        self._protocol = protocol
        for channel in self._channels:
            protocol.post("SUBSCRIBE", channel)
        for callback in self._callbacks:
            callback()

    def _on_push(self, channel: str, message: bytes) -> None:
        self._channels[channel](message)

    def _on_lost(self, protocol: RedisProtocol) -> None:
        if protocol is not self._protocol:
            return  # it never got so far; whoever made it knows
        self._protocol = None
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
            except _UNREACHABLE as error:
                self._log.info("No Redis at {url} yet: {error}", url=str(self._url), error=str(error))
            except CancelledError:
                return  # closed meanwhile
            else:
                self._log.info("Connected to Redis at {url} again", url=str(self._url))
                return
