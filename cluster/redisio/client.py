"""What the servers know of Redis or Valkey: commands, and what is published. Connections come back by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Reactor
from cluster.redisio.connection import UNREACHABLE
from cluster.redisio.layout import Address
from cluster.redisio.masters import Masters
from cluster.redisio.protocol import Listener, RedisProtocol, Reply
from cluster.redisio.silence import CLUSTER_COMMANDS, COMMANDS, SUBSCRIPTIONS
from cluster.redisio.url import RedisUrl

MANY_UNANSWERED = 10_000
"""Commands; Redis does several times as many in a second."""


class RedisUnavailable(Exception):
    """There is no Redis at that address, or it does not let us in; the message says what to check."""


class _User:
    """Of new connections to the master of a key, or to any."""

    def __init__(self, callback: Callable[[], None], key: str) -> None:
        self.callback = callback
        self.key = key
        self.told_of: RedisProtocol | None = None


class _Subscription:
    """To one channel."""

    def __init__(self, on_message: Callable[[bytes], None], on_renewed: Callable[[], None]) -> None:
        self.on_message = on_message
        self.on_renewed = on_renewed
        self.is_new = True
        self.heard_over: RedisProtocol | None = None


class RedisClient:
    """Commands and subscriptions of one user of Redis or of a Redis Cluster.

    Commands have a connection, and subscriptions another one: Redis ends a connection with subscriptions when too much
    waits there to be read, and an answer may be large. So a command and what is published have no order. Commands do,
    those about one domain in a cluster too.

    Nothing is repeated: a command that was under way when its connection is lost fails with ConnectionLost, and so does
    one given while there is none. Who wants to repeat it does so from `when_connected`.
    """

    _log = Logger()

    def __init__(self, reactor: Reactor, url: RedisUrl, jitter: Callable[[], float]) -> None:
        """`jitter()` in [0, 1) spreads the attempts of many clients."""
        self._url = url
        self.keeps_order = not url.is_cluster
        """What is written later takes effect later, whichever keys it is about; else only where they share a tag."""
        patience = CLUSTER_COMMANDS if url.is_cluster else COMMANDS
        self._commands = Masters(
            reactor, url, patience, jitter, lambda *push: None, self._on_connected, self._on_commands_lost
        )
        self._ear = Masters(
            reactor, url, SUBSCRIPTIONS, jitter, self._on_push, self._on_ear_connected, lambda address: None
        )
        self._ear_opened: Deferred[None] | None = None
        self._users: list[_User] = []
        self._subscriptions: dict[str, _Subscription] = {}

    @property
    def connected(self) -> bool:
        """True while commands go through, whatever they are about."""
        return self._commands.is_complete

    def is_connected(self, key: str) -> bool:
        """True while commands about this key go through."""
        return self._commands.at(key) is not None

    @property
    def is_slow(self) -> bool:
        """True while so many commands wait for their replies that what can be left out should be."""
        return sum(each.unanswered for each in self._commands.all) > MANY_UNANSWERED

    async def connect(self, about: str = "") -> None:
        """Connect for the first time. Raises RedisUnavailable; later losses are mended in the background.

        In a cluster, `about` is the key that nothing can be done without: other masters may be away. Empty: none may.
        """
        try:
            await self._commands.open(about)
        except UNREACHABLE as error:
            remedy = "check that it is running, and check user and password"
            raise RedisUnavailable(f"cannot use Redis at {self._url}: {error}; {remedy}") from error

    async def close(self) -> None:
        """Disconnect for good."""
        self._subscriptions.clear()
        await self._ear.close()
        await self._commands.close()

    def execute(self, *command: str | bytes | int) -> Deferred[Reply]:
        """Send a command. Fails with hiredis.ReplyError, or with ConnectionLost: then it may have been done or not."""
        connection = self._commands.of(command)
        if connection is None:
            return fail(ConnectionLost("not connected to Redis"))
        return connection.execute(*command)

    def post(self, *command: str | bytes | int, listener: Listener | None = None) -> None:
        """Send a command whose reply nobody waits for; an error reply is logged, a lost connection loses it.

        A `listener` hears of both instead.
        """
        connection = self._commands.of(command)
        if connection is not None:
            connection.post(*command, listener=listener)

    async def flush(self) -> None:
        """Return when all that was written is replied to. Fails with ConnectionLost where there is a master that is
        away, when all others have replied.
        """
        is_complete = self._commands.is_complete
        pings = [connection.ping() for connection in self._commands.all]
        results: list[tuple[bool, Any]] = await DeferredList(pings, consumeErrors=True)
        for succeeded, failure in results:
            if not succeeded:
                failure.raiseException()
        if not is_complete:
            raise ConnectionLost("not connected to Redis")

    def when_connected(self, callback: Callable[[], None], key: str = "") -> None:
        """Call it at once if connected, and after each new connection, to the master of the key; of any, where there
        is none given. Who asked first is called first.
        """
        user = _User(callback, key)
        self._users.append(user)
        if self._commands.all:
            self._tell(user)

    def subscribe(
        self, channel: str, on_message: Callable[[bytes], None], on_renewed: Callable[[], None] = lambda: None
    ) -> Deferred[Reply]:
        """Take what is published there, over this and each later connection. As `execute`, it may fail.

        Connections come and go apart from those of commands. `on_renewed` is called when it is heard again after a
        while in which it was not.
        """
        subscription = self._subscriptions[channel] = _Subscription(on_message, on_renewed)
        return Deferred.fromCoroutine(self._begin(channel, subscription))

    def unsubscribe(self, channel: str) -> None:
        """Take no more of it."""
        connection = self._ear.at(channel)
        if self._subscriptions.pop(channel, None) is not None and connection is not None:
            connection.post("UNSUBSCRIBE", channel)

    # --- connections come and go

    async def _begin(self, channel: str, subscription: _Subscription) -> Reply:
        if self._ear_opened is None:
            self._ear_opened = Deferred.fromCoroutine(self._ear.start())
        await _shared(self._ear_opened)
        subscription.is_new = False
        subscription.heard_over = connection = self._ear.at(channel)
        if connection is None:
            raise ConnectionLost("not connected to Redis")
        return await connection.execute("SUBSCRIBE", channel)

    def _on_connected(self) -> None:
        for user in self._users:
            self._tell(user)

    def _tell(self, user: _User) -> None:
        if user.key:
            connection = self._commands.at(user.key)
            if connection is None or connection is user.told_of:
                return
            user.told_of = connection
        user.callback()

    def _on_commands_lost(self, address: Address) -> None:
        self._ear.abort(address)  # whoever does not answer there, or has become a replica, is the same

    def _on_ear_connected(self) -> None:
        for channel, subscription in self._subscriptions.items():
            connection = self._ear.at(channel)
            if connection is not None and connection is not subscription.heard_over and not subscription.is_new:
                subscription.heard_over = connection
                renewed = connection.execute("SUBSCRIBE", channel)
                renewed.addCallback(self._on_renewed, channel, subscription)
                renewed.addErrback(self._on_refused, channel)

    def _on_renewed(self, reply: Reply, channel: str, subscription: _Subscription) -> None:
        if self._subscriptions.get(channel) is subscription:  # nobody unsubscribed meanwhile
            subscription.on_renewed()

    def _on_refused(self, failure: Failure, channel: str) -> None:
        if not isinstance(failure.value, ConnectionLost):  # else the next connection begins with it
            self._log.failure("Listening to {channel} again", failure, channel=channel)

    def _on_push(self, channel: str, message: bytes) -> None:
        subscription = self._subscriptions.get(channel)
        if subscription is not None:  # nobody unsubscribed meanwhile
            subscription.on_message(message)


def _shared(fired: Deferred[None]) -> Deferred[None]:
    """Fires when the other one does, which others wait for too."""
    waiting: Deferred[None] = Deferred()

    def fire(result: None) -> None:
        waiting.callback(None)

    fired.addCallback(fire)
    return waiting
