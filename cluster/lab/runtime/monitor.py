"""What the operator of a process asks over HTTP: its metrics, whether it lives, and whether it is ready."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults
from twisted.internet.error import CannotListenError, ConnectionLost
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from cluster.base.clock import Reactor, as_interface
from cluster.lab import metrics, targets
from cluster.lab.containers.health import PORT
from cluster.lab.folder import LabFolder
from cluster.server.build import Server
from cluster.streams.http import BodilessRequest, RequestChannel

REQUEST_TIMEOUT_S = 10.0
"""For a whole request."""
ANSWER_TIMEOUT_S = 1.0
"""A process whose Redis does not answer for so long is not ready."""
BACKLOG = 16
"""Requests that may wait to be accepted."""

Status = Callable[[], Coroutine[Deferred[Any], Any, dict[str, Any]]]
"""The state of a node, with `ready`."""


@dataclass
class Watched:
    """A node of this process, as its operator sees it."""

    name: str
    kind: str
    status: Status
    server: Server | None = None
    is_up: bool = False
    """It has started, and does not stop yet."""


class Monitor:
    """Serves `/metrics`, `/live` and `/ready` on a port of its own, from the start of a process to its end.

    In a lab of processes the port is on loopback, a free one the first time and then the same; a file tells it.
    """

    _log = Logger()

    def __init__(self, reactor: Reactor, folder: LabFolder, name: str) -> None:
        """`name`: of the first node of the process."""
        self._reactor = reactor
        self._nodes: dict[str, Watched] = {}
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Collector(lambda: metrics.of(self._nodes.values())))
        root: Any = Resource()
        root.putChild(b"metrics", _Metrics(registry))
        root.putChild(b"live", _Live())  # type: ignore[no-untyped-call]
        root.putChild(b"ready", _Ready(self._why_not_ready))
        site = _Site(root, reactor)
        if not folder.targets.is_dir():
            reactor.listenTCP(PORT, site, BACKLOG, "0.0.0.0")
            return
        try:
            listener = reactor.listenTCP(targets.port(folder, name), site, BACKLOG, targets.LOOPBACK)
        except CannotListenError:  # somebody else has it meanwhile
            listener = reactor.listenTCP(0, site, BACKLOG, targets.LOOPBACK)
        targets.write(folder, name, listener.getHost().port)

    def watch(self, name: str, kind: str, status: Status, server: Server | None = None) -> Watched:
        """A node is composed, in place of an earlier one of this name. Its caller tells when it is up."""
        self._nodes[name] = watched = Watched(name, kind, status, server)
        return watched

    async def _why_not_ready(self) -> str:
        for node in self._nodes.values():
            if not node.is_up:
                return f"{node.name} starts, or stops"
        try:
            asked = [Deferred.fromCoroutine(node.status()) for node in self._nodes.values()]
            answered = gatherResults(asked, consumeErrors=True)
            found = await answered.addTimeout(ANSWER_TIMEOUT_S, as_interface(self._reactor))
        except FirstError as error:
            if error.subFailure.check(ConnectionLost, CancelledError):  # it is away, or the time is over
                return "Redis does not answer"
            self._log.failure("Asked whether it is ready", error.subFailure)
            return f"an error, see its log: {error.subFailure.value}"
        waits = [node.name for node, status in zip(self._nodes.values(), found, strict=True) if not status["ready"]]
        return f"{waits[0]} is not connected to its server, or its network" if waits else ""


class _Collector:
    def __init__(self, metrics: Callable[[], Iterator[Metric]]) -> None:
        self._metrics = metrics

    def describe(self) -> list[Metric]:
        """Nothing is read before the process is asked."""
        return []

    def collect(self) -> Iterator[Metric]:
        return self._metrics()


class _Site(Site):
    """It logs no requests, and ends each connection with its answer: a scrape is seldom."""

    noisy = False
    protocol: Any = RequestChannel

    def __init__(self, root: Resource, reactor: Reactor) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            root, requestFactory=BodilessRequest, reactor=reactor, timeout=REQUEST_TIMEOUT_S
        )

    def log(self, request: object) -> None:
        """Log nothing."""


def _begin(request: Any, type: bytes = b"text/plain; charset=utf-8") -> None:
    request.setHeader(b"content-type", type)
    request.setHeader(b"connection", b"close")


class _Metrics(Resource):
    isLeaf = True

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._registry = registry

    def render_GET(self, request: Any) -> bytes:
        """All metrics, in the text format of Prometheus."""
        _begin(request, b"text/plain; version=0.0.4; charset=utf-8")
        return generate_latest(self._registry)


class _Live(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        """The reactor runs, or nothing would answer."""
        _begin(request)
        return b"live\n"


class _Ready(Resource):
    isLeaf = True

    def __init__(self, why_not: Callable[[], Coroutine[Deferred[Any], Any, str]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._why_not = why_not

    def render_GET(self, request: Any) -> int:
        """200, or 503 with the reason."""
        _begin(request)
        gone: Deferred[None] = request.notifyFinish()
        asked = Deferred.fromCoroutine(self._why_not()).addCallback(self._answer, request)
        asked.addErrback(lambda failure: failure.trap(CancelledError))  # the client has hung up
        gone.addErrback(lambda failure: asked.cancel())
        return NOT_DONE_YET

    def _answer(self, why_not: str, request: Any) -> None:
        request.setResponseCode(503 if why_not else 200)
        request.write(f"not ready: {why_not}\n".encode() if why_not else b"ready\n")
        request.finish()
