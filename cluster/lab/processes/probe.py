"""Does a part of the lab answer? Asked over its own socket, in its own protocol, until it does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from cluster.lab.control.readiness import ReadinessProbe
from cluster.lab.errors import LabError
from cluster.redisio.connection import client_tls

Reactor = Any
"""The Twisted reactor; it is described by zope interfaces, which mypy cannot read."""

EVERY_S = 0.02
"""Parts come up within a few hundred milliseconds, so this adds little to the time of `up`. Less and less often then:
where hundreds start at once, they need the time themselves."""

ANSWER_TIMEOUT_S = 5.0
"""A part that takes a connection and is silent for longer is asked again on a new one."""


Question = Callable[[Reactor], Deferred[ReadinessProbe]]
"""Finds what to ask, and where. Its Deferred may fail with LabError."""


def always(probe: ReadinessProbe) -> Question:
    """The same question, at the same address, each time."""
    return lambda reactor: succeed(probe)


def looked_up(find: Callable[[], ReadinessProbe]) -> Question:
    """What `find` returns, which blocks and may raise LabError: who is asked through Redis may be at a new master."""
    return lambda reactor: deferToThreadPool(reactor, reactor.getThreadPool(), find)


async def answered(question: Question, reactor: Reactor) -> None:
    """Ask until the part answers; cancel the Deferred of this coroutine to stop asking."""
    for asked in count():
        with suppress(LabError):  # no Redis yet
            if await _ask(await question(reactor), reactor):
                return
        await deferLater(reactor, EVERY_S * (1 + asked / 10))


async def _ask(question: ReadinessProbe, reactor: Reactor) -> bool:
    if isinstance(question.address, Path):
        endpoint: Any = UNIXClientEndpoint(reactor, str(question.address))
    elif question.ca_file is None:
        endpoint = TCP4ClientEndpoint(reactor, *question.address)
    else:
        tls = client_tls(question.address[0], question.ca_file)
        within: Any = HostnameEndpoint(reactor, *question.address)
        endpoint = wrapClientTLS(tls, within)
    try:
        asking: _Asking = await endpoint.connect(Factory.forProtocol(lambda: _Asking(question)))
        return await asking.answer.addTimeout(ANSWER_TIMEOUT_S, reactor)
    except (ConnectError, DNSLookupError, TimeoutError):
        return False


class _Asking(Protocol):
    """One connection, one question."""

    transport: Any

    def __init__(self, question: ReadinessProbe) -> None:
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
        elif self._question.refusal and self._question.refusal in self._received:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.answer.called:
            self.answer.callback(False)
