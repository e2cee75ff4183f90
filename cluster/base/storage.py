"""Errors of a storage that cannot write for now."""

from __future__ import annotations

from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure


class StorageRefused(Exception):
    """The storage is up and wrote nothing, because its memory or its disk is full; the same may be written later."""


def is_refusal(error: BaseException | None) -> bool:
    """Whether nothing was written, and the same may be written later."""
    return isinstance(error, StorageRefused)


def is_away(error: BaseException | None) -> bool:
    """Whether the storage is down, or refuses for now: the same may be done later."""
    return isinstance(error, ConnectionLost | StorageRefused)


def log_failed(to: Logger, doing: str, failure: Failure) -> None:
    """Log a failure of work that is repeated later, as an errback.

    Nothing if the connection was lost, since the next one begins with that work; one line if the storage refuses it; a
    traceback for anything else.
    """
    if is_refusal(failure.value):
        to.warn("{doing}: Redis refuses it for now: {error}", doing=doing, error=str(failure.value))
    elif not isinstance(failure.value, ConnectionLost):
        to.failure("{doing}", failure, doing=doing)
