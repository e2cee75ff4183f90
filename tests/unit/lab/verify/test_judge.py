"""From the records of the clients to the verdict: each kind of fate, and what must hold for all records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lab.verify.judge import MAX_EXAMPLES, judge, lost_by_fault
from cluster.lab.verify.records import Arrival, FlowRecord
from cluster.lab.verify.report import Counts, FlowReport
from cluster.trace.hop import Event, Hop

PREFIX = "run.0."


def record(sent: int, *arrivals: tuple[int, int], acknowledged: int | None = None) -> FlowRecord:
    """A message a second; each arrival is (number, stanza-id), 0.1 s behind the one before."""
    found = FlowRecord("romeo → juliet", PREFIX)
    for number in range(sent):
        assert found.send(float(number)) == number
    for place, (number, stanza_id) in enumerate(arrivals):
        found.arrive(Arrival(number, stanza_id, 0.1 * (place + 1)))
    found.acknowledged = sent if acknowledged is None else acknowledged
    return found


def in_turn(sent: int) -> list[tuple[int, int]]:
    return [(number, 100 + number) for number in range(sent)]


def counts(report: FlowReport) -> dict[str, int]:
    """What is not as it should be."""
    fates = ("bounced", "lost", "lost_by_fault", "duplicated", "duplicated_same_id", "out_of_order")
    return {fate: getattr(report.counts, fate) for fate in fates if getattr(report.counts, fate)}


def test_all_is_well() -> None:
    report = judge(record(3, *in_turn(3)), ())
    assert report == FlowReport("romeo → juliet", Counts(3, 3, 3, longest_gap_s=pytest.approx(0.1)))


def test_nothing_was_sent() -> None:
    assert judge(record(0), ()).counts == Counts()


def test_lost() -> None:
    report = judge(record(4, (0, 1), (3, 2), acknowledged=2), ())
    assert counts(report) == {"lost": 2}
    assert report.counts.delivered == 2
    assert [(each.fate, each.trace_id, each.note) for each in report.examples] == [
        ("lost", "run.0.1", "number 1, sent at 1.000 s; acknowledged by its sender's server, and never seen again"),
        ("lost", "run.0.2", "number 2, sent at 2.000 s; not acknowledged by its sender's server, and never seen again"),
    ]


def test_lost_by_a_fault_is_no_loss() -> None:
    report = judge(record(3, (0, 1)), {"run.0.1", "run.1.2", "another's"})
    assert counts(report) == {"lost": 1, "lost_by_fault": 1}
    assert {example.trace_id: example.fate for example in report.examples} == {
        "run.0.1": "lost by a fault",
        "run.0.2": "lost",
    }


def test_what_a_fault_lost_once_may_arrive_all_the_same() -> None:
    """One of two copies was lost."""
    assert counts(judge(record(2, *in_turn(2)), {"run.0.1"})) == {}


def test_bounced() -> None:
    messages = record(3, (0, 1), (2, 2))
    messages.bounce(1, "remote-server-timeout")
    messages.bounce(2, "service-unavailable")
    report = judge(messages, {"run.0.1"})
    assert counts(report) == {"bounced": 2}
    assert [each.note.partition("; ")[2] for each in report.examples] == [
        "came back with remote-server-timeout",
        "came back with service-unavailable, though it arrived",
    ]


def test_duplicated() -> None:
    report = judge(record(2, (0, 7), (1, 8), (0, 9)), ())
    assert counts(report) == {"duplicated": 1}
    assert report.counts.delivered == 2
    assert "again at 0.300 s, with another stanza-id" in report.examples[0].note


def test_duplicated_with_the_same_stanza_id() -> None:
    report = judge(record(2, (0, 7), (1, 8), (0, 7), (1, 8)), ())
    assert counts(report) == {"duplicated_same_id": 2}
    assert [each.fate for each in report.examples] == ["duplicated, same stanza-id"] * 2


def test_without_a_stanza_id_nobody_can_tell() -> None:
    assert counts(judge(record(1, (0, 0), (0, 0)), ())) == {"duplicated": 1}


def test_out_of_order() -> None:
    """One that was overtaken by two counts once, and so does each that was overtaken."""
    report = judge(record(5, (1, 1), (2, 2), (0, 3), (4, 4), (3, 5)), ())
    assert counts(report) == {"out_of_order": 2}
    assert "arrived at 0.300 s, behind number 2" in report.examples[0].note


def test_what_arrives_again_is_not_out_of_order() -> None:
    assert counts(judge(record(3, *in_turn(3), (0, 100)), ())) == {"duplicated_same_id": 1}


def test_longest_gap_counts_from_the_first_message_sent() -> None:
    messages = record(2)
    messages.arrive(Arrival(0, 1, 3.0))
    messages.arrive(Arrival(1, 2, 4.0))
    messages.arrive(Arrival(1, 2, 9.0))  # nothing new
    assert judge(messages, ()).counts.longest_gap_s == 3.0


def test_a_few_examples_of_each_fate() -> None:
    messages = record(20, *in_turn(5), *in_turn(5))
    fates = [example.fate for example in judge(messages, {"run.0.19"}).examples]
    assert fates.count("lost") == fates.count("duplicated, same stanza-id") == MAX_EXAMPLES
    assert fates.count("lost by a fault") == 1


@given(
    st.integers(1, 12).flatmap(
        lambda sent: st.tuples(
            st.just(sent),
            st.lists(st.tuples(st.integers(0, sent - 1), st.integers(0, 2)), max_size=30),
            st.sets(st.integers(0, sent - 1)),
            st.sets(st.integers(0, sent - 1)),
        )
    )
)
def test_every_message_has_a_fate_and_every_arrival_is_counted(
    case: tuple[int, list[tuple[int, int]], set[int], set[int]],
) -> None:
    sent, arrivals, bounced, faulted = case
    messages = record(sent, *arrivals)
    for number in bounced:
        messages.bounce(number, "service-unavailable")
    found = judge(messages, {f"{PREFIX}{number}" for number in faulted}).counts
    arrived = {number for number, _ in arrivals}
    assert found.delivered == len(arrived)
    assert found.delivered + len(bounced - arrived) + found.lost + found.lost_by_fault == sent
    assert found.delivered + found.duplicated + found.duplicated_same_id == len(arrivals)
    assert found.out_of_order < max(1, found.delivered)
    assert (found.out_of_order == 0) == (list(dict.fromkeys(number for number, _ in arrivals)) == sorted(arrived))
    assert messages.unsettled == sent - len(arrived | bounced)


def test_what_is_known_to_be_lost_is_not_waited_for() -> None:
    messages = record(4, (0, 1))
    assert messages.unsettled == 3
    assert messages.unsettled_besides({"run.0.0", "run.0.1", "run.0.9", "run.1.2", "run.0.x", "else"}) == 2


def test_what_the_journal_says_of_faults() -> None:
    lost = Hop("t1", "router", Event.LOST, 0, "message", "a@x", "b@y", 1, "loss: run.0.7")
    assert lost_by_fault(lost) == "run.0.7"
    dropped = Hop("t1", "router", Event.DROPPED, 0, "message", "a@x", "b@y", 1, "no fault: run.0.7")
    assert lost_by_fault(dropped) == ""
