"""How a connection to one Redis is made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from hiredis import ProtocolError, ReplyError
from twisted.internet import tcp
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.ssl import optionsForClientTLS

from cluster.base.clock import Reactor
from cluster.redisio.protocol import RedisProtocol
from cluster.redisio.silence import Patience, notice_silence
from cluster.redisio.url import RedisUrl

UNREACHABLE = (ReplyError, ProtocolError, ConnectError, ConnectionClosed, DNSLookupError)
"""What making a connection may fail with."""

CONNECT_S = 5.0
"""How long the other end may take to accept a connection."""

OnPush = Callable[[str, bytes], None]
"""Takes a published message: its channel and itself."""


async def open_connection(
    reactor: Reactor, url: RedisUrl, patience: Patience, on_push: OnPush, on_lost: Callable[[RedisProtocol], None]
) -> RedisProtocol:
    """Connect and log in to one Redis that takes writes. Fails with one of UNREACHABLE.

    `on_lost` hears of a later end, before what waits fails.
    """
    is_open = False

    def lost() -> None:
        if is_open:
            on_lost(protocol)

    protocol = RedisProtocol(reactor, patience, on_push, lost)
    role = await log_in(protocol, reactor, url)
    if role != b"master":
        protocol.abort()
        raise ReplyError(f"READONLY it is a {role.decode()}, and takes no writes")
    is_open = True
    return protocol


async def log_in(protocol: RedisProtocol, reactor: Reactor, url: RedisUrl) -> bytes:
    """Connect this protocol, and log in: its role. Fails with one of UNREACHABLE, and then it is over."""
    await connectProtocol(_endpoint(reactor, url), protocol)  # type: ignore[no-untyped-call]
    if url.scheme != "unix":
        notice_silence(protocol.transport)
    else:  # as any other socket, without a look for file descriptors that could come with the data
        protocol.transport.doRead = partial(tcp.Connection.doRead, protocol.transport)
    try:
        login = ("AUTH", url.user or "default", url.password) if url.password else ()
        hello: dict[bytes, Any] = await protocol.execute("HELLO", 3, *login)
        if url.database:
            await protocol.execute("SELECT", url.database)
        await protocol.ping()  # refused as long as Redis reads its file after a start
    except BaseException:
        protocol.abort()
        raise
    return bytes(hello[b"role"])


def _endpoint(reactor: Reactor, url: RedisUrl) -> Any:
    """Where to connect; `rediss` checks the certificate against the system's authorities."""
    if url.scheme == "unix":
        return UNIXClientEndpoint(reactor, url.path, CONNECT_S)  # type: ignore[no-untyped-call]
    endpoint: Any = HostnameEndpoint(reactor, url.host, url.port, CONNECT_S)
    if url.scheme == "rediss":
        return wrapClientTLS(optionsForClientTLS(url.host), endpoint)
    return endpoint
