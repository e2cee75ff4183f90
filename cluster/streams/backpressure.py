"""Back-pressure on one peer: not read on while what it sent, or is sent for that, piles up."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

UNSETTLED, UNREAD, UNANSWERED, OTHERS = 1, 2, 4, 8
"""Why a peer is not read from: too much is not safe yet, it does not read, it goes on before it was answered, it has
said so much at once that it is time for others."""


class Reading:
    """Reading from a peer: stopped while there is a reason, whatever becomes of other reasons meanwhile."""

    __slots__ = ("_reasons", "_transport")

    def __init__(self, transport: Any) -> None:
        """`transport` is an IPushProducer."""
        self._transport = transport
        self._reasons = 0

    def is_stopped(self, reason: int) -> bool:
        """There is this reason."""
        return bool(self._reasons & reason)

    def pauseProducing(self, reason: int = UNSETTLED) -> None:
        """There is this reason to stop."""
        if not self._reasons:
            self._transport.pauseProducing()
        self._reasons |= reason

    def resumeProducing(self, reason: int = UNSETTLED) -> None:
        """There is not any more."""
        if self._reasons & reason:
            self._reasons &= ~reason
            if not self._reasons:
                self._transport.resumeProducing()


class Unsettled:
    """What of a peer's stanzas has not settled; its transport is paused while that is at the bound."""

    __slots__ = ("_limit", "_transport", "_waiting")

    def __init__(self, transport: Any, limit: int) -> None:
        """`transport` is an IPushProducer; `limit` counts Deferreds, each of which may stand for a batch."""
        self._transport = transport
        self._limit = limit
        self._waiting: set[Deferred[Any]] = set()

    def add(self, settled: Deferred[Any]) -> None:
        """Count it until it has fired; what it fires with is passed on."""
        if settled in self._waiting:
            return
        self._waiting.add(settled)
        if len(self._waiting) == self._limit:
            self._transport.pauseProducing()
        settled.addBoth(self._settled, settled)

    def _settled(self, result: Any, settled: Deferred[Any]) -> Any:
        if len(self._waiting) == self._limit:
            self._transport.resumeProducing()
        self._waiting.discard(settled)
        return result
