"""What one page has not been told yet."""

from __future__ import annotations

from cluster.trace.hop import Event, Hop
from cluster.web import feed
from cluster.web.feed import Feed


def hop(number: int) -> Hop:
    return Hop(f"t{number}", "s1", Event.RECEIVED, 1_500_000, "message", "a@b", "c@d", 100, "<b>", "offline")


def test_a_new_page_gets_all_and_then_changes() -> None:
    page = Feed({"node s1": "running", "node s2": "running"})
    assert page.take() == {"state": {"node s1": "running", "node s2": "running"}}
    assert page.take() == {}
    page.change({"node s1": "paused"})
    page.change({"node s1": "running", "link s1 s2": None})
    assert page.take() == {"state": {"node s1": "running", "link s1 s2": None}}


def test_traffic_between_two_writes_comes_together() -> None:
    page = Feed({})
    page.pass_on([hop(1)], 0, {("s1", "s2"): 2}, {})
    page.pass_on([], 0, {("s1", "s2"): 1, ("s2", "s1"): 1}, {"s1": 1})
    found = page.take()
    assert found["hops"] == [("t1", "s1", "received", 1.5, "message", "a@b", "c@d", 100, "<b>", "offline")]
    assert found["moves"] == {"s1 s2": 3, "s2 s1": 1}
    assert found["failures"] == {"s1": 1}
    assert "missed" not in found


def test_a_page_that_does_not_read_costs_no_more_memory() -> None:
    page = Feed({})
    for number in range(10 * feed.MAX_HOPS):
        page.pass_on([hop(number)], 1, {}, {})
        page.say([{"pane": 1}])
    found = page.take()
    assert [len(found[name]) for name in ("hops", "said")] == [feed.MAX_HOPS, feed.MAX_SAID]
    assert found["hops"][-1][0] == f"t{10 * feed.MAX_HOPS - 1}"
    assert found["missed"] == 10 * feed.MAX_HOPS + 9 * feed.MAX_HOPS
