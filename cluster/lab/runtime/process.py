"""The common part of all processes of a lab: how they run, log, and end.

A process serves until SIGTERM, or until its standard input ends: then its supervisor is gone.
"""

from __future__ import annotations

import os
import resource
import secrets
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.main import installReactor
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.stdio import StandardIO
from twisted.logger import LogEvent, Logger, LogLevel, formatEvent, globalLogBeginner
from twisted.python.failure import Failure

from cluster.base.clock import Reactor
from cluster.lab.logs import LogLine, encode, utc_text
from cluster.lab.runtime.clock import make_steady
from cluster.lab.runtime.log_level import LogLevels
from cluster.lab.runtime.log_limit import LogLimit
from cluster.lab.runtime.node_reactor import current_node

ID_BYTES = 12
IDS_AT_ONCE = 256
MAX_TEXT = 4_096
"""Characters of one log event, without its traceback."""


class Service(Protocol):
    """The program of a process."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


def new_id() -> str:
    """An id that nobody can guess (RFC 6120 section 4.7.3)."""
    return next(_IDS)


def _ids() -> Iterator[str]:
    """Many are drawn at once: the request to the system for randomness is the expensive part."""
    while True:
        drawn = secrets.token_hex(ID_BYTES * IDS_AT_ONCE)
        for at in range(0, len(drawn), 2 * ID_BYTES):
            yield drawn[at : at + 2 * ID_BYTES]


_IDS = _ids()
LOG_LEVELS = LogLevels()
"""Of the nodes of this process."""


def run(make: Callable[[Reactor], Service]) -> None:
    """Run the service that `make` returns until it is time to stop."""
    running = _reactor()
    make_steady(running)
    allow_many_files()
    Factory.noisy = False  # Twisted logs each start of a factory, which does not help a reader of these logs
    observer: Any = LOG_LEVELS.before(_limited())  # zope.interface has no types
    globalLogBeginner.beginLoggingTo([observer], discardBuffer=True, redirectStandardIO=False)
    service = make(running)

    def failed(failure: Failure) -> None:
        Logger().failure("This process could not start", failure)
        os._exit(1)

    def start() -> None:
        StandardIO(_StopAtEnd(running), reactor=running)
        Deferred.fromCoroutine(service.start()).addErrback(failed)

    running.callWhenRunning(start)
    running.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(service.stop()))
    running.run()
    os._exit(0)  # all is written; to free each object of hundreds of servers would take seconds


def _limited() -> Callable[[LogEvent], None]:
    """Writes the log, with limits for each node of this process."""
    limits = defaultdict[str, LogLimit](lambda: LogLimit(log_to_stderr, time.monotonic))
    return lambda event: limits[current_node()](event)


def _reactor() -> Any:
    """The reactor of this process: on Linux one with fewer system calls, elsewhere Twisted's default."""
    if sys.platform == "linux":
        from cluster.lab.runtime.write_through import WriteThroughReactor

        installReactor(WriteThroughReactor())
    from twisted.internet import reactor  # noqa: TID251  # an entry point

    return reactor


def allow_many_files() -> None:
    """Raise the number of open files to its limit: the initial one is often 1,024, soon used up by clients."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):  # macOS has no limit here, and then another one
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def log_to_stderr(event: LogEvent, remark: str = "") -> None:
    """Write each log event as one JSON line, with a remark at its end; the supervisor stores them."""
    text = formatEvent(event)
    if len(text) > MAX_TEXT:  # usually input of a peer
        text = f"{text[:MAX_TEXT]}… ({len(text)} characters)"
    text += remark
    if "log_failure" in event:
        text += "\n" + event["log_failure"].getTraceback()
    at_utc = utc_text(datetime.fromtimestamp(event["log_time"], UTC))
    level: Any = event.get("log_level", LogLevel.info)
    word = {"warn": "warning", "critical": "error"}.get(level.name, level.name)
    os.write(2, encode(LogLine(at_utc, word, text, current_node())))


class _StopAtEnd(TwistedProtocol):
    """Stops the reactor when standard input ends."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._reactor.running:
            self._reactor.stop()
