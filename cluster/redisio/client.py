"""The servers' client of Redis or Valkey: commands and subscriptions, over connections that are renewed when lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Reactor
from cluster.redisio.connection import UNREACHABLE
from cluster.redisio.layout import Address
from cluster.redisio.masters import Admit, Masters
from cluster.redisio.protocol import Command, Listener, RedisProtocol, Reply
from cluster.redisio.silence import COMMANDS, FAILOVER_COMMANDS, SUBSCRIPTIONS
from cluster.redisio.url import RedisUrl

MANY_UNANSWERED = 10_000
"""Commands; Redis does several times as many in a second."""


class RedisUnavailable(Exception):
    """There is no Redis at that address, or it refuses the login; the message says what to check."""


class _User:
    """A caller of `when_connected`, for the master of a key or for any."""

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

    Commands have one connection and subscriptions another: Redis closes a connection with subscriptions when too much
    waits for its reader, and a reply may be large. So there is no order between a command and a published message.
    Commands are in order, in a cluster those about one domain.

    Nothing is repeated: a command that is pending when its connection is lost fails with ConnectionLost, and so does
    one while there is no connection. A caller may repeat it from `when_connected`.
    """

    _log = Logger()

    def __init__(self, reactor: Reactor, url: RedisUrl, jitter: Callable[[], float]) -> None:
        """`jitter()` in [0, 1) spreads the attempts of many clients."""
        self._url = url
        self.keeps_order = not url.is_cluster
        """What is written later takes effect later, whatever its keys; in a cluster only if the keys share a tag."""
        patience = FAILOVER_COMMANDS if url.fails_over else COMMANDS
        self._commands = Masters(
            reactor,
            url,
            patience,
            jitter,
            lambda *push: None,
            self._on_connected,
            self._on_commands_lost,
            lambda protocol: self.admit(protocol),
        )
        self._ear = Masters(
            reactor, url, SUBSCRIPTIONS, jitter, self._on_push, self._on_ear_connected, lambda address: None, _any
        )
        self.admit: Admit = _any
        """Looks at each further connection for commands, before anybody else may use it."""
        self._ear_opened: Deferred[None] | None = None
        self._users: list[_User] = []
        self._subscriptions: dict[str, _Subscription] = {}

    @property
    def connected(self) -> bool:
        """Whether commands about any key can be sent."""
        return self._commands.is_complete

    def is_connected(self, key: str) -> bool:
        """Whether commands about this key can be sent."""
        return self._commands.at(key) is not None

    @property
    def is_slow(self) -> bool:
        """Whether so many commands wait for replies that optional ones should be left out."""
        return sum(each.unanswered for each in self._commands.all) > MANY_UNANSWERED

    async def connect(self, about: str = "") -> None:
        """Connect for the first time. Raises RedisUnavailable; later losses are handled in the background.

        In a cluster, `about` is the key that is indispensable: other masters may be down. Empty: none may.
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
        """Send a command. Fails with hiredis.ReplyError, or with ConnectionLost: then it may have been executed or
        not."""
        connection = self._commands.of(command)
        if connection is None:
            return fail(ConnectionLost("not connected to Redis"))
        return connection.execute(*command)

    def execute_all(self, commands: Sequence[Command], listener: Listener) -> Deferred[Reply]:
        """Send several commands, which in a cluster share a tag: fires with the reply to the last, as `execute`.

        `listener` gets the replies to the others.
        """
        connection = self._commands.of(commands[0])
        if connection is None:
            return fail(ConnectionLost("not connected to Redis"))
        return connection.execute_all(commands, listener)

    def post(self, *command: str | bytes | int) -> None:
        """Send a command without waiting for its reply; an error reply is logged, a lost connection loses it."""
        connection = self._commands.of(command)
        if connection is not None:
            connection.post(*command)

    async def flush(self) -> None:
        """Return when all that was written has a reply. Fails with ConnectionLost if a master is down, when all others
        have replied."""
        is_complete = self._commands.is_complete
        pings = [connection.ping() for connection in self._commands.all]
        results: list[tuple[bool, Any]] = await DeferredList(pings, consumeErrors=True)
        for succeeded, failure in results:
            if not succeeded:
                failure.raiseException()
        if not is_complete:
            raise ConnectionLost("not connected to Redis")

    def when_connected(self, callback: Callable[[], None], key: str = "") -> None:
        """Call it at once if connected, and after each new connection, to the master of the key, or to any if no key is
        given. Callbacks are called in the order of registration."""
        user = _User(callback, key)
        self._users.append(user)
        if self._commands.all:
            self._tell(user)

    def subscribe(
        self, channel: str, on_message: Callable[[bytes], None], on_renewed: Callable[[], None] = lambda: None
    ) -> Deferred[Reply]:
        """Receive what is published there, over this and each later connection. As `execute`, it may fail.

        Its connections are separate from those of commands. `on_renewed` is called when messages are received again
        after a while without a connection.
        """
        subscription = self._subscriptions[channel] = _Subscription(on_message, on_renewed)
        return Deferred.fromCoroutine(self._begin(channel, subscription))

    def unsubscribe(self, channel: str) -> None:
        """Receive no more of it."""
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
        self._ear.abort(address)  # a node that does not answer there, or has become a replica, counts the same

    def _on_ear_connected(self) -> None:
        for channel, subscription in self._subscriptions.items():
            connection = self._ear.at(channel)
            if connection is not None and connection is not subscription.heard_over and not subscription.is_new:
                subscription.heard_over = connection
                renewed = connection.execute("SUBSCRIBE", channel)
                renewed.addCallback(self._on_renewed, channel, subscription)
                renewed.addErrback(self._on_refused, channel)

    def _on_renewed(self, reply: Reply, channel: str, subscription: _Subscription) -> None:
        if self._subscriptions.get(channel) is subscription:  # not unsubscribed meanwhile
            subscription.on_renewed()

    def _on_refused(self, failure: Failure, channel: str) -> None:
        if not isinstance(failure.value, ConnectionLost):  # otherwise the next connection begins with it
            self._log.failure("Listening to {channel} again", failure, channel=channel)

    def _on_push(self, channel: str, message: bytes) -> None:
        subscription = self._subscriptions.get(channel)
        if subscription is not None:  # not unsubscribed meanwhile
            subscription.on_message(message)


async def _any(protocol: RedisProtocol) -> None:
    """Every connection may be used."""


def _shared(fired: Deferred[None]) -> Deferred[None]:
    """Fires when the other Deferred does, which others wait for too."""
    waiting: Deferred[None] = Deferred()

    def fire(result: None) -> None:
        waiting.callback(None)

    fired.addCallback(fire)
    return waiting
