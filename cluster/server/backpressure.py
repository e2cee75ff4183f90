"""Back-pressure on one peer: not read on while too much of what it sent is not safe yet."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred


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
