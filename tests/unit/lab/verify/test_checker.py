"""From the records of the clients to the verdict: each kind of fate, and what must hold for all records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.lab.verify.checker import MAX_EXAMPLES, Checker, lost_by_fault
from cluster.lab.verify.faultlog import FaultLog
from cluster.lab.verify.records import Arrival, Leg, Misdelivery
from cluster.lab.verify.report import Counts, Latency
from cluster.trace.hop import Event, Hop
from tests.unit.lab.verify.legs import LINK, LOSSY, PREFIX, check, counts, crashed, faulty, in_turn, leg, notes


def test_all_is_well() -> None:
    report = check(leg(3, *in_turn(3)))
    assert counts(report) == {}
    assert (report.counts.sent, report.counts.acknowledged, report.counts.delivered) == (3, 3, 3)


def test_nothing_was_sent() -> None:
    assert check(leg(0)).counts == Counts()


def test_lost() -> None:
    report = check(leg(4, (0, 1), (3, 2), acknowledged=2))
    assert counts(report) == {"lost": 2}
    assert report.counts.delivered == 2
    assert [(each.fate, each.trace_id, each.note) for each in report.examples] == [
        ("lost", "run.0.1", "number 1, sent at 1.000 s; acknowledged by its sender's server, and never seen again"),
        ("lost", "run.0.2", "number 2, sent at 2.000 s; not acknowledged by its sender's server, and never seen again"),
    ]


def test_lost_by_a_fault_that_the_checker_knows_of() -> None:
    report = check(leg(3, (0, 1)), {"run.0.1": 1.0, "run.1.2": 1.0}, faulty(LOSSY))
    assert counts(report) == {"lost": 1, "lost_by_fault": 1}
    assert {example.trace_id: example.fate for example in report.examples} == {
        "run.0.1": "lost by a fault",
        "run.0.2": "lost",
    }


@pytest.mark.parametrize(
    ("faults", "at_s"),
    [
        (FaultLog(), 1.0),
        (faulty({"delay": "40ms"}), 1.0),
        (faulty(LOSSY, 10.0, 20.0), 1.0),
        (faulty(LOSSY, -20.0, -10.0), 1.0),
        (faulty(LOSSY), -9.0),
        (crashed(0.0, 9.0), 1.0),
    ],
    ids=["none", "another kind", "later", "earlier", "before the message was sent", "a crash"],
)
def test_a_loss_that_the_journal_alone_explains_is_a_loss(faults: FaultLog, at_s: float) -> None:
    report = check(leg(2, (0, 1)), {"run.0.1": at_s}, faults)
    assert counts(report) == {"lost": 1}
    assert "none was set there and then" in report.examples[0].note


def test_a_fault_of_another_link_explains_nothing() -> None:
    faults = FaultLog()
    faults.begin("a fault", 0.0, LINK[::-1], LOSSY)
    assert counts(check(leg(2, (0, 1)), {"run.0.1": 1.0}, faults)) == {"lost": 1}


def test_a_fault_explains_no_more_than_its_share() -> None:
    sent = 1_000
    arrived = in_turn(sent)[: sent // 2]
    claims = {f"{PREFIX}{number}": float(number) for number in range(sent // 2, sent)}
    found = counts(check(leg(sent, *arrived), claims, faulty({"loss": "1%"}, 0.0)))
    assert 5 <= found["lost_by_fault"] <= 35
    assert found["lost"] + found["lost_by_fault"] == sent // 2
    assert counts(check(leg(sent, *arrived), claims, faulty({"loss": "60%"}))) == {"lost_by_fault": sent // 2}


def test_what_a_fault_lost_once_may_arrive_all_the_same() -> None:
    """One of two copies was lost."""
    assert counts(check(leg(2, *in_turn(2)), {"run.0.1": 1.0}, faulty(LOSSY))) == {}


def test_bounced() -> None:
    messages = leg(3, (0, 1), (2, 2))
    messages.flow.bounce(1, "remote-server-timeout")
    messages.flow.bounce(2, "service-unavailable")
    report = check(messages)
    assert counts(report) == {"bounced": 2}
    assert notes(report) == [
        "came back with remote-server-timeout",
        "came back with service-unavailable, though it arrived",
    ]


def test_altered() -> None:
    """It arrived, but nothing that was sent."""
    messages = leg(2, (0, 1))
    messages.arrive(Arrival(1, 2, 0.5, "body is empty"))
    report = check(messages)
    assert counts(report) == {"altered": 1}
    assert report.counts.delivered == 1
    assert notes(report) == ["arrived at 0.500 s, and body is empty"]


def test_misdelivered() -> None:
    messages = leg(2, *in_turn(2))
    messages.flow.misdelivered.append(Misdelivery(1, "nurse@capulet.lit/x", 0.5))
    report = check(messages)
    assert counts(report) == {"misdelivered": 1}
    assert report.counts.delivered == 2
    assert notes(report) == ["nurse@capulet.lit/x got it at 0.500 s"]


def test_duplicated() -> None:
    report = check(leg(2, (0, 7), (1, 8), (0, 9)))
    assert counts(report) == {"duplicated": 1}
    assert report.counts.delivered == 2
    assert "again at 0.300 s, with another stanza-id" in report.examples[0].note


def test_duplicated_with_the_same_stanza_id() -> None:
    report = check(leg(2, (0, 7), (1, 8), (0, 7), (1, 8)))
    assert counts(report) == {"duplicated_same_id": 2, "unexplained": 2}
    assert [each.fate for each in report.examples] == ["duplicated, same stanza-id"] * 2


@pytest.mark.parametrize(
    ("faults", "unexplained"),
    [
        (crashed(0.1, 0.3), 0),
        (crashed(4.0, 5.0), 1),
        (crashed(-9.0, -7.0), 1),
        (faulty({"duplicate": "10%"}), 0),
        (faulty({"duplicate": "10%"}, 9.0), 1),
        (faulty(LOSSY), 1),
    ],
    ids=["a crash between", "a crash later", "a crash long ago", "a fault", "a fault later", "another fault"],
)
def test_what_explains_a_copy_with_the_same_stanza_id(faults: FaultLog, unexplained: int) -> None:
    found = check(leg(1, (0, 7), (0, 7)), faults=faults).counts
    assert (found.duplicated_same_id, found.unexplained) == (1, unexplained)


def test_a_crash_explains_a_copy_of_what_was_waiting_then_for_its_receiver() -> None:
    """A message that the receiver finds when it logs in, much later, was stored twice."""
    waiting = leg(1)
    for at_s in (60.0, 60.1):
        waiting.arrive(Arrival(0, 7, at_s))
    assert check(waiting, faults=crashed(1.0, 2.0)).counts.unexplained == 0
    assert check(waiting, faults=crashed(-20.0, -10.0)).counts.unexplained == 1


def test_a_duplicate_fault_explains_no_more_than_its_share() -> None:
    sent = 500
    copies = [(number, 100 + number) for number in range(sent)]
    found = check(leg(sent, *in_turn(sent), *copies), faults=faulty({"duplicate": "1%"})).counts
    assert found.unexplained > 450


def test_without_a_stanza_id_nobody_can_tell() -> None:
    assert counts(check(leg(1, (0, 0), (0, 0)))) == {"duplicated": 1}


def test_out_of_order() -> None:
    """One that was overtaken by two counts once, and so does each that was overtaken."""
    report = check(leg(5, (1, 1), (2, 2), (0, 3), (4, 4), (3, 5)))
    assert counts(report) == {"out_of_order": 2}
    assert "arrived at 0.300 s, after number 2" in report.examples[0].note


def test_what_arrives_again_is_not_out_of_order() -> None:
    assert counts(check(leg(3, *in_turn(3), (0, 100)))) == {"duplicated_same_id": 1, "unexplained": 1}


def test_silences_are_times_without_an_arrival_while_something_is_under_way() -> None:
    messages = leg(4)
    for number, at_s in enumerate((0.1, 3.0, 3.1, 3.2)):  # sent at 0, 1, 2 and 3 s
        messages.arrive(Arrival(number, 1, at_s))
    messages.arrive(Arrival(1, 1, 9.0))  # nothing new
    report = check(messages)
    assert [(each.at_s, each.seconds) for each in report.silences] == [(1.0, 2.0)]
    assert report.counts.longest_gap_s == 2.0


def test_latency() -> None:
    messages = leg(100)
    for number in range(100):
        messages.arrive(Arrival(number, 1, number + (0.5 if number == 50 else 0.001 * number)))
    latency = check(messages).latency
    assert latency == Latency(*(pytest.approx(ms, abs=1.0) for ms in (49, 90, 99, 500, 500)))


def test_a_few_examples_of_each_fate() -> None:
    messages = leg(20, *in_turn(5), *in_turn(5))
    fates = [example.fate for example in check(messages, {"run.0.19": 19.0}, faulty(LOSSY)).examples]
    assert fates.count("lost") == fates.count("duplicated, same stanza-id") == MAX_EXAMPLES
    assert fates.count("lost by a fault") == 1


def test_what_was_given_up_and_arrives_after_all_is_not_lost() -> None:
    messages = leg(2, (0, 1))
    checker = Checker(messages, FaultLog())
    checker.read_missing({}, until_s=0.5)
    assert checker.counts.lost == 0
    checker.read_missing({}, until_s=1.0)
    checker.read_missing({}, until_s=1.0)
    assert checker.counts.lost == 1
    messages.arrive(Arrival(1, 2, 30.0))
    checker.read()
    assert checker.counts.lost == 0


CASES = st.integers(1, 12).flatmap(
    lambda sent: st.tuples(
        st.just(sent),
        st.lists(st.tuples(st.integers(0, sent - 1), st.integers(0, 2), st.booleans()), max_size=30),
        st.sets(st.integers(0, sent - 1)),
        st.sets(st.integers(0, sent - 1)),
    )
)
Case = tuple[int, list[tuple[int, int, bool]], set[int], set[int]]


def leg_of(case: Case) -> Leg:
    sent, arrivals, bounced, _ = case
    messages = leg(sent)
    for place, (number, stanza_id, is_altered) in enumerate(arrivals):
        messages.arrive(Arrival(number, stanza_id, float(place), "altered" if is_altered else ""))
    for number in bounced:
        messages.flow.bounce(number, "service-unavailable")
    return messages


@given(CASES)
def test_every_message_has_a_fate_and_every_arrival_is_counted(case: Case) -> None:
    sent, arrivals, bounced, faulted = case
    messages = leg_of(case)
    claims = {f"{PREFIX}{number}": float(number) for number in faulted}
    found = check(messages, claims, faulty({"loss": "100%"})).counts
    arrived = {number for number, _, _ in arrivals}
    first_altered = sum(next(is_altered for n, _, is_altered in arrivals if n == number) for number in arrived)
    assert found.delivered == len(arrived) - first_altered
    assert len(arrived) + len(bounced - arrived) + found.lost + found.lost_by_fault == sent
    assert len(arrived) + found.duplicated + found.duplicated_same_id == len(arrivals)
    assert found.altered == sum(is_altered for _, _, is_altered in arrivals)
    assert found.out_of_order < max(1, len(arrived))
    assert (found.out_of_order == 0) == (list(dict.fromkeys(number for number, _, _ in arrivals)) == sorted(arrived))
    assert messages.unsettled == sent - len(arrived | bounced)


@given(CASES, st.data())
def test_it_does_not_matter_how_often_one_looks(case: Case, data: st.DataObject) -> None:
    messages = leg_of(case)
    seen = Leg(messages.flow)
    checker = Checker(seen, FaultLog())
    for arrival in messages.arrivals():
        seen.arrive(arrival)
        if data.draw(st.booleans()):
            checker.read()
            checker.read_missing({}, until_s=data.draw(st.floats(0, 12)))
    checker.read()
    checker.read_missing({})
    assert checker.counts == check(messages).counts


def test_what_the_journal_says_of_faults() -> None:
    lost = Hop("t1", "router", Event.LOST, 0, "message", "a@x", "b@y", 1, "loss: run.0.7")
    assert lost_by_fault(lost) == "run.0.7"
    dropped = Hop("t1", "router", Event.DROPPED, 0, "message", "a@x", "b@y", 1, "no fault: run.0.7")
    assert lost_by_fault(dropped) == ""
