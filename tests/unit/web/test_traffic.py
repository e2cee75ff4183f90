"""Hops become traffic on the lines of the map."""

from __future__ import annotations

from cluster.trace.hop import Event, Hop
from cluster.web import traffic
from cluster.web.traffic import LineTraffic, Traffic


def hop(node: str, event: Event, at_ms: float, id: str = "t1", kind: str = "message") -> Hop:
    return Hop(id, node, event, int(at_ms * 1e6), kind, "romeo@montague.lit/pda", "juliet@capulet.lit", 200)


CROSSING = [
    hop("s1", Event.RECEIVED, 0.0),
    hop("s1", Event.ROUTED, 0.1),
    hop("router", Event.ENQUEUED, 0.4),
    hop("router", Event.DEQUEUED, 0.9),
    hop("s2", Event.DELIVERED, 1.1),
]


def test_a_message_crosses_one_line() -> None:
    counted = Traffic()
    counted.take(CROSSING)
    assert counted.moves() == {("s1", "s2"): 1}
    assert counted.moves() == {}
    assert counted.second() == {("s1", "s2"): LineTraffic(1, 1.0)}
    assert counted.second() == {}
    assert counted.failures() == {}


def test_hops_of_the_other_node_come_first() -> None:
    counted = Traffic()
    counted.take(CROSSING[3:])
    assert counted.moves() == {}
    counted.take(CROSSING[:3])
    assert counted.moves() == {("s1", "s2"): 1}  # and not from s2 to s1


def test_an_answer_goes_back() -> None:
    counted = Traffic()
    counted.take([*CROSSING, hop("s2", Event.RECEIVED, 2.0, "t2"), hop("s1", Event.DELIVERED, 3.0, "t2")])
    assert counted.moves() == {("s1", "s2"): 1, ("s2", "s1"): 1}


def test_a_text_to_a_phone_goes_on_from_node_to_node() -> None:
    counted = Traffic()
    places = ["s1", "g1", "fn1", "fc1"]
    counted.take([hop(place, Event.RECEIVED, at) for at, place in enumerate(places)])
    assert counted.moves() == {("s1", "g1"): 1, ("g1", "fn1"): 1, ("fn1", "fc1"): 1}


def test_failures_are_counted_where_they_happen() -> None:
    counted = Traffic()
    counted.take([hop("s1", Event.RECEIVED, 0.0), hop("s1", Event.BOUNCED, 1.0), hop("router", Event.LOST, 1.0, "t2")])
    assert counted.failures() == {"s1": 1, "router": 1}


def test_a_note_about_several_stanzas_moves_nothing() -> None:
    counted = Traffic()
    counted.take([hop("s1", Event.DROPPED, 0.0, kind=""), hop("s2", Event.DROPPED, 1.0, kind="")])
    assert counted.moves() == {}


def test_what_is_remembered_of_stanzas_is_bounded() -> None:
    counted = Traffic()
    for number in range(traffic.MAX_STANZAS + 1):
        counted.take([hop("s1", Event.RECEIVED, 0.0, f"t{number}")])
    counted.take([hop("s2", Event.DELIVERED, 1.0, "t0"), hop("s2", Event.DELIVERED, 1.0, "t2")])
    assert counted.moves() == {("s1", "s2"): 1}  # of t2: t0 is forgotten
