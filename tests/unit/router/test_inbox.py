"""What one node wrote to another: an entry of an inbox is kept until all that it brought is safe."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost

from cluster.membership.redis import Inbox
from cluster.redisio.refusal import error_reply
from tests.network import watched_log


class Server:
    """Each frame is what taking it returns, or raises."""

    def take(self, node: str, frame: Any, place: str) -> Any:
        if isinstance(frame, Exception):
            raise frame
        return frame


class Owners:
    def taking_over(self, goes_on: Any) -> Any:
        """Nobody claims anything."""
        return nullcontext()


def take(*frames: Any) -> list[Any]:
    """What the entry of these frames settles with; empty while it does not."""
    server, owners, results = Server(), Owners(), list[Any]()
    untyped: Any = (server, owners)
    settled = Inbox("s1-2", *untyped, lambda: False).take("1-0", [*frames])
    (succeed(None) if settled is None else settled).addBoth(results.append)
    return results


def test_an_entry_waits_for_every_frame_whatever_settles_first() -> None:
    first, second = Deferred[None](), Deferred[None]()
    results = take(first, None, second, second)
    second.callback(None)
    assert results == []
    first.callback(None)
    assert results == [None]


def test_what_needs_nothing_settles_at_once() -> None:
    assert take(None, None) == [None]


@pytest.mark.parametrize("error", [ConnectionLost(), error_reply("OOM command not allowed")])
def test_an_entry_is_read_again_where_the_storage_is_away_when_nothing_of_it_is_under_way(error: Exception) -> None:
    first, second = Deferred[None](), Deferred[None]()
    results = take(first, second)
    first.errback(error)
    assert results == []
    second.callback(None)
    assert [result.value for result in results] == [error]


def test_a_frame_that_cannot_be_taken_holds_up_nothing() -> None:
    frame = Deferred[None]()
    with watched_log() as failures:
        results = take(ValueError("raised"), frame)
        frame.errback(ValueError("later"))
    assert results == [None]
    assert [str(event["log_failure"].value) for event in failures] == ["raised", "later"]
