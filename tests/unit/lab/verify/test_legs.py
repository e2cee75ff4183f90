"""Places where a flow is seen beside its delivery: archives, carbons and answers."""

from __future__ import annotations

import pytest

from cluster.lab.verify.checker import Checker
from cluster.lab.verify.faultlog import FaultLog
from cluster.lab.verify.records import Arrival, Leg
from tests.unit.lab.verify.legs import LINK, LOSSY, check, counts, faulty, in_turn, leg


def test_an_archive_has_no_times() -> None:
    first = leg(2, *in_turn(2))
    archive = Leg(first.flow, "archive of juliet", after=first, is_archive=True)
    for number in range(2):
        archive.arrive(Arrival(number, 1, 99.0))
    report = check(archive)
    assert (report.latency, report.silences, report.counts.longest_gap_s) == (None, [], 0.0)
    assert counts(report) == {}


def test_a_further_leg_awaits_what_was_delivered() -> None:
    """An archive must have the delivered set: each once, in order, and nothing else."""
    first = leg(4, (0, 1), (1, 2), (3, 3))
    archive = Leg(first.flow, "archive of juliet", after=first, is_archive=True)
    for number in (1, 0, 0):
        archive.arrive(Arrival(number, 0, 9.0))
    report = check(archive)
    assert report.counts.sent == 3
    assert counts(report) == {"lost": 1, "duplicated": 1, "out_of_order": 1}
    assert [each.trace_id for each in report.examples if each.fate == "lost"] == ["run.0.3"]


def test_an_archive_with_more_than_what_was_delivered_is_wrong() -> None:
    first = leg(2, (0, 1))
    archive = Leg(first.flow, "archive of juliet", after=first, is_archive=True)
    for number in (0, 1):
        archive.arrive(Arrival(number, 0, 9.0))
    checker = Checker(archive, FaultLog())
    checker.read()
    checker.read_unawaited()
    assert counts(checker.report()) == {"misdelivered": 1}
    assert "it was not delivered, and yet seen at archive of juliet" in checker.examples[0].note


@pytest.mark.parametrize(("link", "fate"), [(LINK[::-1], "lost_by_fault"), (LINK, "lost")])
def test_an_answer_crosses_the_link_back(link: tuple[str, str], fate: str) -> None:
    first = leg(2, *in_turn(2))
    answers = Leg(first.flow, "answers", after=first, is_answer=True)
    answers.arrive(Arrival(0, 1, 1.0))
    faults = FaultLog()
    faults.begin("a fault", 0.0, link, LOSSY)
    assert counts(check(answers, {"run.0.1": 1.5}, faults)) == {fate: 1}


def test_a_carbon_is_lost_by_no_fault_of_a_link() -> None:
    first = leg(2, *in_turn(2))
    carbon = Leg(first.flow, "carbon at juliet", after=first)
    carbon.arrive(Arrival(0, 1, 1.0))
    assert counts(check(carbon, {"run.0.1": 1.5}, faulty(LOSSY))) == {"lost": 1}


def test_a_leg_at_the_sender_awaits_what_its_server_acknowledged() -> None:
    first = leg(4, *in_turn(4), acknowledged=2)
    archive = Leg(first.flow, "archive of romeo", is_archive=True)
    archive.arrive(Arrival(0, 0, 9.0))
    assert counts(check(archive)) == {"lost": 1}
