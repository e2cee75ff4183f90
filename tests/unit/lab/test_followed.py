"""Which stanzas of an address can be explained, and how many are kept at the most."""

from __future__ import annotations

from cluster.lab.tracing import followed
from cluster.lab.tracing.followed import Followed
from cluster.trace.hop import Event
from tests.unit.trace.hops import hop

ROMEO = "romeo@montague.lit"


def test_what_has_arrived_is_explained_at_the_next_look_and_what_waits_later() -> None:
    of_romeo = Followed(ROMEO)
    arrives = [hop("s1", Event.RECEIVED, 0, trace_id="a"), hop("s2", Event.DELIVERED, 1, trace_id="a")]
    waits = hop("s1", Event.RECEIVED, 0, trace_id="w")
    assert of_romeo.take([*arrives, waits], 10.0) == []  # a further hop may come at once
    assert of_romeo.take([], 10.5) == [arrives]
    assert of_romeo.take([], 10.0 + followed.PATIENCE_S) == []
    assert of_romeo.take([], 10.1 + followed.PATIENCE_S) == [[waits]]
    assert of_romeo.take([], 99.0) == []


def test_what_is_of_others_is_left_out() -> None:
    of_nurse = Followed("nurse@capulet.lit")
    assert of_nurse.take([hop("s1", Event.RECEIVED, 0)], 0.0) == []
    assert of_nurse.take([], 99.0) == []


def test_more_than_can_be_kept_is_explained_early() -> None:
    of_romeo = Followed(ROMEO)
    many = [hop("s1", Event.RECEIVED, 0, trace_id=f"t{number}") for number in range(followed.MAX_UNDER_WAY + 3)]
    assert [[each.trace_id for each in hops] for hops in of_romeo.take(many, 0.0)] == [["t0"], ["t1"], ["t2"]]


def test_a_stanza_to_very_many_is_explained_early() -> None:
    of_romeo = Followed(ROMEO)
    to_all = [hop("s1", Event.RECEIVED, number) for number in range(followed.MAX_HOPS_OF_STANZA + 1)]
    assert of_romeo.take(to_all, 0.0) == [to_all]
