"""Does a part of the lab answer? Asked over its own socket, in its own protocol, until it does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import quoteattr

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from cluster.topology.plan import ServerNode
from cluster.xmpp.namespaces import CLIENT, STREAMS

Reactor = Any
"""The Twisted reactor; it is described by zope interfaces, which mypy cannot read."""

EVERY_S = 0.02
"""Parts come up within a few hundred milliseconds, so this adds little to the time of `up`."""

ANSWER_TIMEOUT_S = 5.0
"""A part that takes a connection and is silent for longer is asked again on a new one."""


@dataclass(frozen=True)
class Question:
    """What to say to a part, where, and by what its answer is known."""

    address: Path | tuple[str, int]
    """A unix socket, or host and port."""
    request: bytes
    awaited: bytes
    """Stands in the answer of a part that works."""
    farewell: bytes = b""


def redis_question(socket: Path, url: str) -> Question:
    """Redis answers commands, also when it had a long append-only file to read."""
    parts = urlsplit(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Question(socket, f"AUTH {user} {password}\r\nPING\r\n".encode(), b"+PONG")


def server_question(server: ServerNode) -> Question:
    """A server opens a stream and offers its features (RFC 6120 section 4.3.2)."""
    header = (
        f"<?xml version='1.0'?><stream:stream to={quoteattr(server.domain)} version='1.0' "
        f"xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
    )
    return Question((server.host, server.c2s_port), header.encode(), b"</stream:features>", b"</stream:stream>")


async def answered(question: Question, reactor: Reactor) -> None:
    """Ask until the part answers; cancel the Deferred of this coroutine to stop asking."""
    while not await _ask(question, reactor):
        await deferLater(reactor, EVERY_S)


async def _ask(question: Question, reactor: Reactor) -> bool:
    if isinstance(question.address, Path):
        endpoint: Any = UNIXClientEndpoint(reactor, str(question.address))  # type: ignore[no-untyped-call]
    else:
        endpoint = TCP4ClientEndpoint(reactor, *question.address)
    try:
        asking: _Asking = await endpoint.connect(Factory.forProtocol(lambda: _Asking(question)))
        return await asking.answer.addTimeout(ANSWER_TIMEOUT_S, reactor)
    except (ConnectError, TimeoutError):
        return False


class _Asking(Protocol):
    """One connection, one question."""

    transport: Any

    def __init__(self, question: Question) -> None:
        self._question = question
        self._received = b""
        self.answer: Deferred[bool] = Deferred(lambda _: self.transport.loseConnection())

    def connectionMade(self) -> None:
        self.transport.write(self._question.request)

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if self._question.awaited in self._received and not self.answer.called:
            self.transport.write(self._question.farewell)
            self.transport.loseConnection()
            self.answer.callback(True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.answer.called:
            self.answer.callback(False)
