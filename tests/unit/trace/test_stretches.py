"""Where the time of stanzas goes, from the hops that servers write (tests/live/test_lab_trace.py)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cluster.trace import stretches
from cluster.trace.hop import Event, Hop
from cluster.trace.stretches import ROUTER, Stretches


def hop(node: str, event: str, at_ms: float, *, id: str = "t1", to: str = "juliet@capulet.lit", copies: int = 0) -> Hop:
    from_ = "romeo@montague.lit"
    return Hop(id, node, Event(event), round(at_ms * 1e6), "message", from_, to, 100, copies=copies)


ACROSS = [
    hop("romeo@montague.lit", "sent", 0),
    hop("s1", "received", 1),
    hop("s1", "routed", 3),
    hop(ROUTER, "enqueued", 5),
    hop(ROUTER, "dequeued", 10),
    hop("s2", "delivered", 14),
    hop("juliet@capulet.lit", "received", 15),
]


def times(*looks: Sequence[Hop]) -> dict[str, list[int]]:
    """The times in whole milliseconds, by stretch, after the hops of these looks."""
    found = Stretches()
    for hops in looks:
        found.take(hops)
    return {
        name: sorted(
            round(0.001 * 1.05 ** (number + 0.5)) for number, count in each.counts.items() for _ in range(count)
        )
        for name, each in found.take_times().items()
    }


def test_a_message_across_domains() -> None:
    assert times(ACROSS) == {"s1": [2], "s1→s2": [7], "s2": [4]}


def test_hops_come_in_any_order_and_in_any_parts() -> None:
    assert times(ACROSS[::-1]) == times(ACROSS)
    for cut in range(len(ACROSS)):
        assert times(ACROSS[:cut], ACROSS[cut:]) == times(ACROSS)


def test_what_waits_in_a_link_is_told_when_it_comes_out() -> None:
    found = Stretches()
    found.take(ACROSS[:4])
    assert found.take_times() == {}
    late = [hop(ROUTER, "dequeued", 9_003), hop("s2", "delivered", 9_004)]
    found.take(late)
    assert found.take_times()["s1→s2"].percentile_ms(1) == pytest.approx(9_000, rel=0.025)


def test_a_message_within_a_domain() -> None:
    assert times([hop("s2", "received", 0), hop("s2", "delivered", 8)]) == {"s2": [8]}


def test_a_node_that_records_after_the_stanza_has_left_it_is_not_visited_again() -> None:
    assert times([*ACROSS[:-1], hop("s1", "routed", 20)])["s1"] == [2]


def test_a_stanza_that_comes_back_is() -> None:
    """As the answer of a room to its sender."""
    back = [hop("s2", "routed", 14), hop(ROUTER, "dequeued", 20), hop("s1", "delivered", 22)]
    assert times([*ACROSS[:5], *back]) == {"s1": [2, 2], "s1→s2": [7], "s2": [4], "s2→s1": [6]}


def test_what_a_node_that_was_killed_reads_again_was_not_with_it_meanwhile() -> None:
    again = [hop(ROUTER, "dequeued", 2_000), hop("s2", "delivered", 2_003)]
    assert times([*ACROSS, *again])["s2"] == [3, 4]


def test_each_copy_goes_its_own_way_from_where_it_was_made() -> None:
    made = [hop("s1", "received", 0), hop("s1", "routed", 1, copies=2)]
    one = [hop("s1", "routed", 2, to="a"), hop(ROUTER, "dequeued", 6, to="a"), hop("s2", "delivered", 9, to="a")]
    other = [hop("s1", "routed", 3, to="b"), hop(ROUTER, "dequeued", 8, to="b"), hop("s3", "delivered", 10, to="b")]
    assert times([*made, *one, *other]) == {"s1": [2, 3], "s1→s2": [4], "s2": [3], "s1→s3": [5], "s3": [2]}


def test_a_component_is_handed_the_stanza_and_takes_it_on() -> None:
    way = [hop("s1", "received", 0), hop("s1", "delivered", 2), hop("g1", "received", 5), hop("g1", "sent", 9)]
    phone = [hop("fn1", "received", 12), hop("fn1", "delivered", 13)]
    assert times([*way, *phone]) == {"s1": [2], "s1→g1": [3], "g1": [4], "g1→fn1": [3], "fn1": [1]}


def test_stanzas_are_counted_where_they_enter_and_where_they_fail() -> None:
    found = Stretches()
    found.take([*ACROSS, hop("s1", "received", 1, id="t2"), hop("s1", "bounced", 2, id="t2")])
    assert (found.stanzas, found.failures) == (2, 1)
    found.take_times()
    found.take([hop(ROUTER, "lost", 30, id="t3")])
    assert (found.stanzas, found.failures) == (0, 1)


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "MAX_STANZAS", 10)
    monkeypatch.setattr(stretches, "MAX_STRETCHES", 10)
    found = Stretches()
    found.take(hop(f"n{number}", "received", number, id=f"t{number}") for number in range(100))
    assert len(found._ways) == 10
    found.take(hop(f"n{number}", "delivered", 200, id=f"t{number}") for number in range(100))
    assert len(found.take_times()) == 10
