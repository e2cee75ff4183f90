"""What is logged as an error during a simulation: servers and clients must not raise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twisted.logger import ILogObserver, LogEvent, globalLogBeginner, globalLogPublisher
from zope.interface import implementer

MAX_KEPT = 1_000


@contextmanager
def logged_errors() -> Iterator[list[str]]:
    """Within, the exceptions that are logged: the first MAX_KEPT.

    Until a program begins to log, Twisted keeps 65,536 events, and with each the stream or session that it is about.
    Within, it gets the exceptions only.
    """
    found: list[str] = []
    buffer = globalLogBeginner._temporaryObserver

    @implementer(ILogObserver)  # type: ignore[untyped-decorator]  # zope has no types
    def observe(event: LogEvent) -> None:
        if "log_failure" in event and len(found) < MAX_KEPT:
            found.append(event["log_failure"].getErrorMessage())
            if buffer is not None:
                buffer(event)  # type: ignore[call-arg, misc]  # zope has no types

    if buffer is not None:
        globalLogPublisher.removeObserver(buffer)
    globalLogPublisher.addObserver(observe)
    try:
        yield found
    finally:
        globalLogPublisher.removeObserver(observe)
        if buffer is not None:
            globalLogPublisher.addObserver(buffer)
