"""Runs a scenario on a stage, and accounts for every stanza."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cluster.lab.verify import report, rooms
from cluster.lab.verify.cast import Cast
from cluster.lab.verify.checker import MAX_EXAMPLES, Checker, lost_by_fault
from cluster.lab.verify.faultlog import FaultLog
from cluster.lab.verify.progress import Observer
from cluster.lab.verify.report import BreakReport, Example, FlowReport, Report
from cluster.lab.verify.scenario import Scenario
from cluster.lab.verify.stage import Part, Stage
from cluster.lab.verify.steps import Steps
from cluster.lab.verify.timetable import Planned

QUIET_S = 10.0
"""When nothing has arrived for this time after the last step, what is missing is lost."""

GRACE_S = 1.0
"""Copies arrive within this after all has arrived."""

LOOK_EVERY_S = 0.05

OVERDUE_S = 5.0
"""During a run, a stanza that has not arrived after this time, while nothing delayed it, is lost."""

READ_EVERY_S = 2.0
"""The journal forgets (`cluster/trace/redis.py`), so its losses are read in time."""


@dataclass(frozen=True)
class Outcome:
    """The result of a run: the report, and the fate of each stanza."""

    report: Report
    checkers: Sequence[Checker]
    begin_utc_s: float


class Run:
    """One run, to its end with `completed`; or `play`, and then `outcome`. `xmpplab verify --watch` looks at it
    meanwhile."""

    def __init__(self, stage: Stage, scenario: Scenario, seed: int, steps: Sequence[Planned]) -> None:
        """`steps`: those of the scenario, as the seed has chosen them. Raises LabError if a client cannot log in."""
        self.faults = FaultLog()
        self.claims: dict[str, float] = {}
        """The losses that the journal attributes to faults: the time, by the id of the stanza."""
        self._stage = stage
        self._scenario = scenario
        self._seed = seed
        self._begin_s, self._begin_utc_s = stage.seconds(), stage.utc_s()
        self._seconds = 0.0
        self._cast = Cast(stage, scenario, self.now_s)
        self.checkers = [Checker(leg, self.faults) for leg in self._cast.legs]
        self._lookouts = stage.lookouts(self.faults, self.now_s)
        self._steps = Steps(stage, steps, self._cast.clients, self.faults, self.now_s)

    def completed(self, progress: Observer) -> Outcome:
        """Send the stanzas, disturb the lab, wait until all has settled, and check.

        KeyboardInterrupt ends the run; the report is of what happened until then. Raises LabError if a client or a
        step failed.
        """
        try:
            self.play(progress)
        except KeyboardInterrupt:
            return self.outcome_so_far(is_complete=False)
        return self.outcome()

    @property
    def strays(self) -> list[str]:
        """Stanzas between sessions of the run that none of them sent."""
        return self._cast.book.strays

    def now_s(self) -> float:
        """Since the start of the run."""
        return self._stage.seconds() - self._begin_s

    def play(self, progress: Observer) -> None:
        """Run from the first stanza until all has settled, or until `progress` raises KeyboardInterrupt."""
        self._begin_s, self._begin_utc_s = self._stage.seconds(), self._stage.utc_s()
        try:
            for part in (*self._lookouts, *self._cast.parts):
                part.start()
            self._steps.start()
            self._settle(progress)
            if self._cast.has_late:
                for part in self._cast.late():
                    part.start()
                self._settle(progress)
        finally:
            self._seconds = self.now_s()
            self._steps.stop()
            _end([*self._cast.parts, *self._lookouts])
            progress.end()
        self._raise_errors()
        self._cast.read_archives(self._begin_utc_s - GRACE_S)

    def check(self) -> None:
        """Handle what is new. What has not arrived after OVERDUE_S, while nothing delayed it, is missing."""
        self.read_journal()
        until_s = self.faults.due_until(self._seconds or self.now_s(), OVERDUE_S)
        for checker in self.checkers:
            checker.read()
            if not (checker.leg.is_archive or self._cast.waits_for_login(checker.leg)):  # not read yet
                checker.read_missing(self.claims, until_s)

    def outcome(self) -> Outcome:
        """The result of a run to its end: nothing is under way any more."""
        self.read_journal()
        for checker in self.checkers:
            checker.read()
            checker.read_missing(self.claims)
            checker.read_unawaited()
        return self._outcome(is_complete=True)

    def outcome_so_far(self, *, is_complete: bool) -> Outcome:
        """The result of a run that was ended: stanzas may be under way. `is_complete`: its end was meant."""
        self.check()
        for checker in self.checkers:
            checker.counts.under_way = sum(1 for _ in checker.missing())
        return self._outcome(is_complete=is_complete)

    def _outcome(self, *, is_complete: bool) -> Outcome:
        flows = [checker.report() for checker in self.checkers]
        records = [flight.record for flight in self._cast.book.flights]
        flows += [rooms.order(room, records, seats) for room, seats in self._cast.seats.items()]
        if self.strays:
            counts, examples = report.Counts(misdelivered=len(self.strays)), self.strays[:MAX_EXAMPLES]
            found = [Example("misdelivered", "", stray) for stray in examples]
            flows.append(FlowReport("none of what was sent", counts, found, is_first=False))
        self.add_routes([example for flow in flows for example in flow.examples])
        return Outcome(self._report(flows, is_complete), self.checkers, self._begin_utc_s)

    # --- during the run

    def _settle(self, progress: Observer) -> None:
        """Return when all is sent and done and nothing more is expected."""
        last, since_s = self._counts(), self.now_s()
        read_s = since_s
        while True:
            self._stage.wait(LOOK_EVERY_S)
            self._raise_errors()
            counts, now_s = self._counts(), self.now_s()
            progress.show(now_s, *self._sent_and_arrived(), self._steps.under_way)
            if now_s - read_s >= READ_EVERY_S:
                read_s = now_s
                self.read_journal()
            is_sent = all(outgoing.pace.is_over for outgoing in self._cast.outgoing)
            if counts != last or not self._steps.are_done or not is_sent:
                last, since_s = counts, now_s
                continue
            quiet_s = now_s - since_s
            if quiet_s >= QUIET_S:
                return
            if quiet_s >= GRACE_S and self._has_all():
                return

    def _has_all(self) -> bool:
        """Whether nothing is missing except losses by faults, and stanzas that wait for a later login."""
        self.read_journal()
        is_awaited = any(self._awaits(checker) for checker in self.checkers)
        return not is_awaited and all(outgoing.is_done for outgoing in self._cast.outgoing)

    def _awaits(self, checker: Checker) -> bool:
        leg = checker.leg
        if leg.is_archive or self._cast.waits_for_login(leg):
            return False
        return any(leg.flow.id(sequence) not in self.claims for sequence in checker.missing())

    def _counts(self) -> list[int]:
        """All counts that show activity."""
        flows = (leg.flow for leg in self._cast.legs if leg.is_first)
        of_flows = [count for flow in flows for count in (len(flow.sent_s), flow.acknowledged, len(flow.bounced))]
        return [*of_flows, *(len(leg) for leg in self._cast.legs)]

    def _sent_and_arrived(self) -> tuple[int, int]:
        first = [leg for leg in self._cast.legs if leg.is_first]
        return sum(len(leg.flow.sent_s) for leg in first), sum(leg.seen_count for leg in first)

    def _raise_errors(self) -> None:
        if self._steps.errors:
            raise self._steps.errors[0]
        self._stage.check()

    def read_journal(self) -> None:
        """Read from the journal which stanzas faults of links have lost since the last call."""
        for hop in self._stage.new_hops():
            if id := lost_by_fault(hop):
                self.claims.setdefault(id, hop.at_utc_ns / 1e9 - self._begin_utc_s)

    # --- results

    def add_routes(self, examples: Sequence[Example]) -> None:
        """Add the hops of these examples, as far as the journal has them."""
        if examples and self._scenario.follow == "all":
            hops = self._stage.routes({example.trace_id for example in examples})
            for example in examples:
                example.hops = [hop for hop in hops if hop.trace_id == example.trace_id]

    def _report(self, flows: list[FlowReport], is_complete: bool) -> Report:
        scenario, counts, taken = self._scenario, report.total(flows), self._stage.memory()
        breaks = sorted(self._breaks(), key=lambda each: each.at_s)
        broken = report.broken(scenario.promises, counts, taken)
        expected: list[str] = [*scenario.expect]
        return Report(
            scenario.name, scenario.about, self._stage.plan.name, self._seconds, flows, counts, seed=self._seed,
            steps=sorted(self._steps.reports, key=lambda step: step.at_s), memory=taken, breaks=breaks,
            resumed=sum(each.resumed for each in breaks),
            new_sessions=sum(not each.resumed and each.away_s is not None for each in breaks),
            broken=broken, expected=expected, failures=report.failures(broken, expected, is_complete),
            is_complete=is_complete,
        )  # fmt: skip

    def _breaks(self) -> Iterator[BreakReport]:
        """Breaks of sending and receiving clients; those of bystanders affect nothing."""
        for session in self._cast.sessions:
            for each in session.client.breaks:
                away_s = None if each.back_s is None else each.back_s - each.at_s
                at_s = each.at_s - self._begin_s
                name = str(session.witness.jid)
                yield BreakReport(name, at_s, away_s, each.is_resumed, each.tries, each.sent_again)


def _end(parts: Sequence[Part]) -> None:
    """Wait for the parts that were started: nobody else may touch a client that its part still uses."""
    for part in parts:
        part.stop()
    for part in parts:
        if part.is_alive():
            part.join()
