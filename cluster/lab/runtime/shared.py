"""Several nodes in one process: each has its name in the log, its own ends, and its own crash when it is fenced."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred, DeferredSemaphore, FirstError, gatherResults, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.backoff import Backoff
from cluster.base.clock import Reactor
from cluster.lab.runtime.node_reactor import NodeReactor, name_events
from cluster.lab.runtime.process import Service

Make = Callable[[Reactor, Callable[[], None]], Service]
"""Composes a node at its reactor, with what ends it as a crash would: for a node that is fenced."""

STARTED_AT_ONCE = 8
"""Nodes that wait for Redis at the same time: one that has to wait for long must not hold up all others."""
_BACKOFF = Backoff(0.1, 5.0)


class SharedProcess:
    """The nodes of this process, as one service."""

    def __init__(self, reactor: Reactor, makes: Mapping[str, Make]) -> None:
        """`makes`: by the names of the nodes."""
        name_events(reactor)
        self._tenants = [_Tenant(reactor, name, make) for name, make in makes.items()]

    async def start(self) -> None:
        """Start all. Fails as the first one that cannot start: then this process ends, as that of one node does."""
        limit = DeferredSemaphore(STARTED_AT_ONCE)
        try:
            await gatherResults([limit.run(each.start) for each in self._tenants], consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()

    async def stop(self) -> None:
        """Stop all; one that fails to does not keep the others."""
        await gatherResults([each.stop() for each in self._tenants])


class _Tenant:
    """One node. When it is fenced, it ends as in a crash, and starts again here: its neighbours go on."""

    _log = Logger()

    def __init__(self, reactor: Reactor, name: str, make: Make) -> None:
        self._reactor = reactor
        self._name = name
        self._make = make
        self._failures = 0  # in a row, after it was fenced
        self._compose()

    def _compose(self) -> None:
        self._own = own = NodeReactor(self._reactor, self._name)
        self._service = own.run(lambda: self._make(own, self._crash))

    def start(self) -> Deferred[None]:
        return self._own.run(lambda: Deferred.fromCoroutine(self._service.start()))

    def stop(self) -> Deferred[None]:
        if self._own.is_over:
            return succeed(None)
        stopping = self._own.run(lambda: Deferred.fromCoroutine(self._service.stop()))
        return stopping.addErrback(lambda failure: self._log.failure("{name} stopped", failure, name=self._name))

    def _crash(self) -> None:
        if not self._own.is_over:
            self._own.crash()
            self._reactor.callLater(_BACKOFF.pause_s(self._failures), self._start_again)

    def _start_again(self) -> None:
        self._compose()
        self.start().addCallbacks(self._on_started, self._on_failed)

    def _on_started(self, _: None) -> None:
        self._failures = 0

    def _on_failed(self, failure: Failure) -> None:
        self._log.failure("{name} could not start again", failure, name=self._name)
        self._failures += 1
        self._crash()
