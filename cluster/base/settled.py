"""When work is safe: one piece of work has settled, or several have."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cluster.base.pipelined import PipelinedReply

Settled = Deferred[Any] | None
"""When a stanza is safe: None if it is already; else a Deferred, shared by a batch, whose callbacks return their
argument."""


class All(PipelinedReply):
    """Fires when all parts have; fails as soon and as the first of them does."""

    def __init__(self, parts: Iterable[Deferred[Any]]) -> None:
        super().__init__()
        self.parts = tuple(parts)
        self._left = len(self.parts)
        for part in self.parts:
            part.addCallbacks(self._on_fired, self._on_failed)

    def _on_fired(self, result: Any) -> Any:
        self._left -= 1
        if not self._left and not self.called:
            self.callback(None)
        return result

    def _on_failed(self, failure: Failure) -> None:
        if not self.called:
            self.errback(failure)


async def until_settled(settled: Settled) -> None:
    """Wait until the work is safe. Raises what it failed with."""
    if settled is not None:
        await settled


def both(one: Settled, other: Settled) -> Settled:
    """Settles when both have; fails as soon and as the first of them does."""
    if one is None or other is None or one is other:
        return other if one is None else one
    return _all_of_two(one, other)


@lru_cache(maxsize=1)
def _all_of_two(one: Deferred[Any], other: Deferred[Any]) -> All:
    """Stanzas of one batch that share both share this too."""
    return All((one, other))


def all_of(settled: Iterable[Settled]) -> Settled:
    """Settles when all have, many of which may be the same; fails as soon and as the first of them does."""
    unsettled = {id(each): each for each in settled if each is not None}
    return All(unsettled.values()) if len(unsettled) > 1 else next(iter(unsettled.values()), None)
