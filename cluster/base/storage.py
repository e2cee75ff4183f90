"""When a storage cannot write for now."""

from __future__ import annotations

from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure


class StorageRefused(Exception):
    """The storage is there and wrote nothing; the same may be written later. Its memory or its disk is full."""


def is_refusal(error: BaseException | None) -> bool:
    """Nothing was written, and the same may be written later."""
    return isinstance(error, StorageRefused)


def is_away(error: BaseException | None) -> bool:
    """The storage is not there, or refuses for now: the same may be done later."""
    return isinstance(error, ConnectionLost | StorageRefused)


def log_failed(to: Logger, doing: str, failure: Failure) -> None:
    """Of work that is done again later, as an errback: silent where the connection was lost, since the next one begins
    with that work, and one line where the storage refuses it. Anything else is a fault of ours.
    """
    if is_refusal(failure.value):
        to.warn("{doing}: Redis refuses it for now: {error}", doing=doing, error=str(failure.value))
    elif not isinstance(failure.value, ConnectionLost):
        to.failure("{doing}", failure, doing=doing)
