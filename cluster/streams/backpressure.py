"""Back-pressure on one peer: the server stops reading from it while unsettled or unread data piles up."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

UNSETTLED, UNREAD, UNANSWERED, OTHERS = 1, 2, 4, 8
"""Reasons to stop reading from a peer: too much is unsettled, it does not read, a request has no answer yet, other
peers have to get their turn."""


class Reading:
    """Reading from a peer: stopped while there is any reason."""

    __slots__ = ("_reasons", "_transport")

    def __init__(self, transport: Any) -> None:
        """`transport` is an IPushProducer."""
        self._transport = transport
        self._reasons = 0

    def is_stopped(self, reason: int) -> bool:
        """Whether reading is stopped for this reason."""
        return bool(self._reasons & reason)

    def pauseProducing(self, reason: int = UNSETTLED) -> None:
        """Stop reading for this reason."""
        if not self._reasons:
            self._transport.pauseProducing()
        self._reasons |= reason

    def resumeProducing(self, reason: int = UNSETTLED) -> None:
        """This reason has ended."""
        if self._reasons & reason:
            self._reasons &= ~reason
            if not self._reasons:
                self._transport.resumeProducing()


class Unsettled:
    """The unsettled stanzas of a peer; its transport is paused while they are at the limit."""

    __slots__ = ("_limit", "_transport", "_waiting")

    def __init__(self, transport: Any, limit: int) -> None:
        """`transport` is an IPushProducer; `limit` counts Deferreds, each of which may stand for a batch."""
        self._transport = transport
        self._limit = limit
        self._waiting: list[Deferred[Any]] = []

    def add(self, settled: Deferred[Any]) -> None:
        """Count a Deferred until it fires; its result is passed on."""
        if settled in self._waiting:
            return
        self._waiting.append(settled)
        if len(self._waiting) == self._limit:
            self._transport.pauseProducing()
        settled.addBoth(self._settled, settled)

    def _settled(self, result: Any, settled: Deferred[Any]) -> Any:
        if len(self._waiting) == self._limit:
            self._transport.resumeProducing()
        self._waiting.remove(settled)
        return result
