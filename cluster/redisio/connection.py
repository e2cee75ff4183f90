"""Opens a connection to one Redis."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hiredis import ProtocolError, ReplyError
from twisted.internet import tcp
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

from cluster.base.clock import Reactor
from cluster.redisio.protocol import RedisProtocol
from cluster.redisio.silence import Patience, notice_silence
from cluster.redisio.url import RedisUrl

UNREACHABLE = (ReplyError, ProtocolError, ConnectError, ConnectionClosed, DNSLookupError)
"""The errors of an attempt to connect."""

SENTINEL = b"sentinel"
"""The role of a Redis that has none to tell."""

CONNECT_S = 5.0
"""How long the other end may take to accept a connection."""

OnPush = Callable[[str, bytes], None]
"""Receives a published message: its channel and its content."""


async def open_connection(
    reactor: Reactor, url: RedisUrl, patience: Patience, on_push: OnPush, on_lost: Callable[[RedisProtocol], None]
) -> RedisProtocol:
    """Connect and log in to one Redis that accepts writes. Fails with one of UNREACHABLE.

    `on_lost` is called when it ends later, before pending commands fail.
    """
    is_open = False

    def lost() -> None:
        if is_open:
            on_lost(protocol)

    protocol = RedisProtocol(reactor, patience, on_push, lost)
    role = await log_in(protocol, reactor, url)
    if role != b"master":
        protocol.abort()
        raise ReplyError(f"READONLY it is a {role.decode()}, and accepts no writes")
    is_open = True
    return protocol


async def log_in(protocol: RedisProtocol, reactor: Reactor, url: RedisUrl) -> bytes:
    """Connect this protocol, and log in; returns its role. Fails with one of UNREACHABLE, and is closed then."""
    await connectProtocol(_endpoint(reactor, url), protocol)
    if url.scheme != "unix":
        notice_silence(protocol.transport)
    else:  # as any other socket, without looking for file descriptors that could come with the data
        protocol.transport.doRead = partial(tcp.Connection.doRead, protocol.transport)
    try:
        login = ("AUTH", url.user or "default", url.password) if url.password else ()
        hello: dict[bytes, Any] = await protocol.execute("HELLO", 3, *login)
        if url.database:
            await protocol.execute("SELECT", url.database)
        await protocol.ping()  # refused while Redis reads its file after a start
    except Exception:  # not GeneratorExit: of an ended process, nothing is to go on
        protocol.abort()
        raise
    return bytes(hello.get(b"role", SENTINEL))


def _endpoint(reactor: Reactor, url: RedisUrl) -> Any:
    """The endpoint; `rediss` checks the certificate. Raises ConnectError."""
    if url.scheme == "unix":
        return UNIXClientEndpoint(reactor, url.path, CONNECT_S)
    endpoint: Any = HostnameEndpoint(reactor, url.host, url.port, CONNECT_S)
    if url.scheme == "rediss":
        return wrapClientTLS(client_tls(url.host, url.ca_file), endpoint)
    return endpoint


def client_tls(host: str, ca_file: str) -> Any:
    """Checks that the other end is this host, by the authorities in this file, or by the system's. Raises ConnectError
    if the file cannot be read."""
    if not ca_file:
        return optionsForClientTLS(host)
    try:
        found = x509.load_pem_x509_certificates(Path(ca_file).read_bytes())
    except (OSError, ValueError) as error:
        raise ConnectError(string=f"no certificates in {ca_file}: {error}") from error
    trusted: Any = Certificate  # Twisted has no types here
    root = trustRootFromCertificates([trusted.loadPEM(each.public_bytes(Encoding.PEM)) for each in found])
    return optionsForClientTLS(host, root)
