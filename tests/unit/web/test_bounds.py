"""What the page keeps of the lab does not grow with what passes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

from cluster.trace.hop import Event, Hop
from cluster.web import traffic
from cluster.web.feed import Feed
from cluster.web.traffic import Traffic

BATCH = 1_000
PLACES = ("s1", "s1", "router", "router", "s2")


def batches(first: int, count: int) -> Iterator[list[Hop]]:
    """Messages from s1 to s2, each another one."""
    for number in range(first, first + count, BATCH):
        yield [
            Hop(f"t{each // 5}", PLACES[each % 5], Event.RECEIVED, each * 1_000, "message", "a@b", "c@d", 100)
            for each in range(number, number + BATCH)
        ]


def test_hops_without_end_take_no_more_memory_than_the_first_ones() -> None:
    """A page that never reads, and a second that never ends."""
    counted, page = Traffic(), Feed({})

    def pass_by(first: int, count: int) -> int:
        for hops in batches(first, count):
            counted.take(hops)
            page.pass_on(hops, 0, counted.moves(), counted.failures())
        return tracemalloc.get_traced_memory()[0]

    enough = 6 * traffic.MAX_STANZAS
    tracemalloc.start()
    try:
        before = pass_by(0, enough)
        after = pass_by(enough, 2 * enough)
    finally:
        tracemalloc.stop()
    assert after < before + 200_000
