"""What a client needs of its connection, and how one to a single Redis is made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from hiredis import ProtocolError, ReplyError
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError

from cluster.redisio.protocol import RedisProtocol, Reply
from cluster.redisio.silence import notice_silence
from cluster.redisio.url import RedisUrl

UNREACHABLE = (ReplyError, ProtocolError, ConnectError, ConnectionClosed, DNSLookupError)
"""What making a connection may fail with."""

OnPush = Callable[[str, bytes], None]
"""Takes a published message: its channel and itself."""


class Connection(Protocol):
    """Logged in. It ends once, and then everything that waits fails with ConnectionLost."""

    @property
    def unanswered(self) -> int:
        """How many commands wait for their replies."""

    def execute(self, *command: str | bytes | int) -> Deferred[Reply]:
        """Send a command."""

    def post(self, *command: str | bytes | int) -> None:
        """Send a command whose reply nobody waits for."""

    def close(self) -> None:
        """End it, when all that was sent is written."""


class Open(Protocol):
    """Makes a connection."""

    async def __call__(self, reactor: Any, url: RedisUrl, on_push: OnPush, on_lost: Callable[[], None]) -> Connection:
        """Connect and log in. Fails with one of UNREACHABLE."""


async def open_connection(reactor: Any, url: RedisUrl, on_push: OnPush, on_lost: Callable[[], None]) -> RedisProtocol:
    """Connect and log in to one Redis. Fails with one of UNREACHABLE."""
    protocol = RedisProtocol(on_push, on_lost)
    await log_in(protocol, reactor, url)
    return protocol


async def log_in(protocol: RedisProtocol, reactor: Any, url: RedisUrl) -> None:
    """Connect this protocol, and log in. Fails with one of UNREACHABLE, and then it hears that it was lost, or did."""
    await connectProtocol(url.endpoint(reactor), protocol)  # type: ignore[no-untyped-call]
    if url.scheme != "unix":
        notice_silence(protocol.transport)
    else:  # as any other socket, without a look for file descriptors that could come with the data
        protocol.transport.doRead = partial(tcp.Connection.doRead, protocol.transport)
    try:
        login = ("AUTH", url.user or "default", url.password) if url.password else ()
        await protocol.execute("HELLO", 3, *login)
        if url.database:
            await protocol.execute("SELECT", url.database)
        await protocol.execute("PING")  # refused as long as Redis reads its file after a start
    except BaseException:
        protocol.transport.abortConnection()
        raise
