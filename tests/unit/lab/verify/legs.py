"""Records of runs that never were, and what the checker says of them."""

from __future__ import annotations

import math

from cluster.lab.verify.checker import Checker
from cluster.lab.verify.faultlog import FaultLog
from cluster.lab.verify.records import Arrival, FlowRecord, Leg
from cluster.lab.verify.report import FlowReport

PREFIX = "run.0."
LINK = ("montague.lit", "capulet.lit")
LOSSY = {"loss": "50%"}


def leg(sent: int, *arrivals: tuple[int, int], acknowledged: int | None = None) -> Leg:
    """A message a second; each arrival is (number, stanza-id), 0.1 s after the one before."""
    flow = FlowRecord("romeo → juliet", PREFIX, LINK)
    for number in range(sent):
        assert flow.send(float(number)) == number
    flow.acknowledged = sent if acknowledged is None else acknowledged
    found = Leg(flow)
    for place, (number, stanza_id) in enumerate(arrivals):
        found.arrive(Arrival(number, stanza_id, 0.1 * (place + 1)))
    return found


def check(at: Leg, claims: dict[str, float] | None = None, faults: FaultLog | None = None) -> FlowReport:
    """Everything is over."""
    checker = Checker(at, faults or FaultLog())
    checker.read()
    checker.read_missing(claims or {})
    return checker.report()


def faulty(settings: dict[str, str], begin_s: float = 0.0, end_s: float = math.inf) -> FaultLog:
    faults = FaultLog()
    faults.begin("a fault", begin_s, LINK, settings).end_s = end_s
    return faults


def crashed(begin_s: float, end_s: float) -> FaultLog:
    faults = FaultLog()
    faults.begin("kill s2", begin_s).end_s = end_s
    return faults


def in_turn(sent: int) -> list[tuple[int, int]]:
    return [(number, 100 + number) for number in range(sent)]


FATES = (
    "bounced", "lost", "lost_by_fault", "altered", "misdelivered", "duplicated", "duplicated_same_id", "unexplained",
    "out_of_order",
)  # fmt: skip


def counts(report: FlowReport) -> dict[str, int]:
    """What is not as it should be."""
    return {fate: getattr(report.counts, fate) for fate in FATES if getattr(report.counts, fate)}


def notes(report: FlowReport) -> list[str]:
    return [each.note.partition("; ")[2] for each in report.examples]
