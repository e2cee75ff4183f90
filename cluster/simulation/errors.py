"""What is logged as an error during a simulation: servers and clients must not raise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

MAX_KEPT = 1_000


@contextmanager
def logged_errors() -> Iterator[list[str]]:
    """Within, the exceptions that are logged: the first MAX_KEPT."""
    found: list[str] = []

    @implementer(ILogObserver)  # type: ignore[untyped-decorator]  # zope has no types
    def observe(event: LogEvent) -> None:
        if "log_failure" in event and len(found) < MAX_KEPT:
            found.append(event["log_failure"].getErrorMessage())

    globalLogPublisher.addObserver(observe)
    try:
        yield found
    finally:
        globalLogPublisher.removeObserver(observe)
