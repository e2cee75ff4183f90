"""Errors of a storage that cannot write for now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.error import ConnectionLost
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Clock, as_interface

AGAIN_S = 0.5
"""Pause until work that a storage could not do is tried again."""


class StorageRefused(Exception):
    """The storage is up and wrote nothing, because its memory or its disk is full; the same may be written later."""


def is_refusal(error: BaseException | None) -> bool:
    """Whether nothing was written, and the same may be written later."""
    return isinstance(error, StorageRefused)


def is_away(error: BaseException | None) -> bool:
    """Whether the storage is down, or refuses for now: the same may be done later."""
    return isinstance(error, ConnectionLost | StorageRefused)


async def insist(
    clock: Clock,
    work: Callable[[], Awaitable[None]],
    pause_s: float = AGAIN_S,
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Do work that may be done twice; while the storage is away or refuses, again until it is done.

    Raises what the storage does once `is_over` is true, and any other error of the work at once.
    """
    while True:
        try:
            await work()
            return
        except Exception as error:
            if is_over() or not is_away(error):
                raise
            await deferLater(as_interface(clock), pause_s)


def log_failed(to: Logger, doing: str, failure: Failure) -> None:
    """Log a failure of work that is repeated later, as an errback.

    Nothing if the connection was lost, since the next one begins with that work; one line if the storage refuses it; a
    traceback for anything else.
    """
    if is_refusal(failure.value):
        to.warn("{doing}: Redis refuses it for now: {error}", doing=doing, error=str(failure.value))
    elif not isinstance(failure.value, ConnectionLost):
        to.failure("{doing}", failure, doing=doing)
