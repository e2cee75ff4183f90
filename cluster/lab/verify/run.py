"""Runs a scenario against a running lab, and accounts for every stanza."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from random import SystemRandom

from cluster.lab.api import Lab
from cluster.lab.errors import LabError
from cluster.lab.tracing.journal import journal
from cluster.lab.verify import memory, report, rooms
from cluster.lab.verify.cast import Cast
from cluster.lab.verify.checker import MAX_EXAMPLES, Checker, lost_by_fault
from cluster.lab.verify.faultlog import FaultLog
from cluster.lab.verify.foreign import BoxThread
from cluster.lab.verify.lookout import Lookout
from cluster.lab.verify.memory import MemoryWatch
from cluster.lab.verify.progress import Observer
from cluster.lab.verify.report import BreakReport, Example, FlowReport, Report
from cluster.lab.verify.scenario import Scenario
from cluster.lab.verify.steps import Steps
from cluster.lab.verify.timetable import planned
from cluster.lab.verify.traffic import Session
from cluster.lab.wait import pause

QUIET_S = 10.0
"""When nothing has arrived for this time after the last step, what is missing is lost."""

GRACE_S = 1.0
"""Copies arrive within this after all has arrived."""

LOOK_EVERY_S = 0.05

READ_EVERY_S = 2.0
"""The journal forgets (`cluster/trace/redis.py`), so its losses are read in time."""
_MAX_SEED = 999_999


@dataclass(frozen=True)
class Outcome:
    """The result of a run: the report, and the fate of each stanza."""

    report: Report
    checkers: Sequence[Checker]


def run(lab: Lab, scenario: Scenario, progress: Observer) -> Outcome:
    """Connect the clients, send the stanzas, disturb the lab, wait until all has settled, and check.

    Raises LabError if a client or a step failed.
    """
    with ExitStack() as stack:
        running = Run(lab, scenario, stack)
        running.play(progress)
        return running.outcome()


class Run:
    """One run, in this order: `play`, then `outcome`. `xmpplab verify --watch` looks at it meanwhile."""

    def __init__(self, lab: Lab, scenario: Scenario, stack: ExitStack) -> None:
        self.faults = FaultLog()
        self.checkers: list[Checker] = []
        self.claims: dict[str, float] = {}
        """The losses that the journal attributes to faults: the time, by the id of the stanza."""
        self._folder = folder = lab.folder
        self._plan = plan = lab.plan
        self._scenario = scenario
        self._seed = SystemRandom().randint(1, _MAX_SEED) if scenario.seed is None else scenario.seed
        self._begin_s, self._begin_utc_s = time.monotonic(), time.time()
        self._seconds = 0.0
        with journal(folder, plan) as reader:
            self._begin_position = self._position = reader.newest()
        self._cast = Cast(folder, plan, scenario, stack, self.now_s)
        self.checkers = [Checker(leg, self.faults) for leg in self._cast.legs]
        self._lookout = Lookout(lab, self.faults, self.now_s)
        self._memory = MemoryWatch(lab, self.now_s)
        steps = planned(scenario.steps, self._seed)
        self._steps = Steps(lab, plan, steps, self._cast.clients, self.faults, self.now_s)

    @property
    def strays(self) -> list[str]:
        """Stanzas between sessions of the run that none of them sent."""
        return self._cast.book.strays

    def now_s(self) -> float:
        """Since the start of the run."""
        return time.monotonic() - self._begin_s

    def play(self, progress: Observer) -> None:
        """Run from the first stanza until all has settled, or until `progress` raises KeyboardInterrupt."""
        self._begin_s, self._begin_utc_s = time.monotonic(), time.time()
        try:
            for part in (self._lookout, self._memory, *self._cast.threads):
                part.start()
            self._steps.start()
            self._settle(progress)
            if self._cast.has_late:
                for session in self._cast.late():
                    session.start()
                self._settle(progress)
        finally:
            self._seconds = self.now_s()
            self._steps.stop()
            _end([*self._cast.threads, self._lookout, self._memory])
            progress.end()
        self._raise_errors()
        self._cast.read_archives(self._begin_utc_s - GRACE_S)

    def check(self, patience_s: float) -> None:
        """Handle what is new. Stanzas that have not arrived after `patience_s`, while nothing delayed them, are
        missing."""
        self.read_journal()
        until_s = self.faults.due_until(self.now_s(), patience_s)
        for checker in self.checkers:
            checker.read()
            checker.read_missing(self.claims, until_s)

    def outcome(self, patience_s: float | None = None) -> Outcome:
        """The result. `patience_s`: stanzas that were sent later may still be under way; None: none are."""
        if patience_s is None:
            self.read_journal()
            for checker in self.checkers:
                checker.read()
                checker.read_missing(self.claims)
                checker.read_unawaited()
        else:
            self.check(patience_s)
            for checker in self.checkers:
                checker.counts.under_way = sum(1 for _ in checker.missing())
        flows = [checker.report() for checker in self.checkers]
        records = [flight.record for flight in self._cast.book.flights]
        flows += [rooms.order(room, records, seats) for room, seats in self._cast.seats.items()]
        if self.strays:
            counts, examples = report.Counts(misdelivered=len(self.strays)), self.strays[:MAX_EXAMPLES]
            found = [Example("misdelivered", "", stray) for stray in examples]
            flows.append(FlowReport("none of what was sent", counts, found, is_first=False))
        self.add_routes([example for flow in flows for example in flow.examples])
        return Outcome(self._report(flows), self.checkers)

    # --- during the run

    def _settle(self, progress: Observer) -> None:
        """Return when all is sent and done and nothing more is expected."""
        last, since_s = self._counts(), self.now_s()
        read_s = since_s
        while True:
            pause(LOOK_EVERY_S)
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
        for thread in self._cast.threads:
            if thread.error:
                raise LabError(f"a client of the checker failed ({thread.name}):\n{thread.error}")
        if self._steps.errors:
            raise self._steps.errors[0]
        if self._lookout.is_gone:
            raise LabError(f"lab {self._plan.name} was taken down while it was checked")

    def read_journal(self) -> None:
        """Read from the journal which stanzas faults of links have lost since the last call."""
        if self._lookout.is_redis_down:
            return
        try:
            with journal(self._folder, self._plan) as reader:
                for position, hops in reader.after(self._position):
                    self._position = position
                    for hop in hops:
                        if id := lost_by_fault(hop):
                            self.claims.setdefault(id, hop.at_utc_ns / 1e9 - self._begin_utc_s)
        except LabError:
            pass  # Redis is away just now; the next call reads it

    # --- results

    def add_routes(self, examples: Sequence[Example]) -> None:
        """Add the hops of these examples, as far as the journal has them."""
        if not examples or self._scenario.follow != "all" or self._lookout.is_redis_down:
            return
        with suppress(LabError), journal(self._folder, self._plan) as reader:  # Redis may have died just now
            hops = reader.read({example.trace_id for example in examples}, self._begin_position)
            for example in examples:
                example.hops = [hop for hop in hops if hop.trace_id == example.trace_id]

    def _report(self, flows: list[FlowReport]) -> Report:
        scenario, counts, taken = self._scenario, report.total(flows), memory.reports(self._memory.samples)
        breaks = sorted(self._breaks(), key=lambda each: each.at_s)
        broken = report.broken(scenario.promises, counts, taken)
        return Report(
            scenario.name, scenario.about, self._plan.name, self._seconds, flows, counts, seed=self._seed,
            steps=sorted(self._steps.reports, key=lambda step: step.at_s), memory=taken, breaks=breaks,
            resumed=sum(each.resumed for each in breaks),
            new_sessions=sum(not each.resumed and each.away_s is not None for each in breaks),
            broken=broken, expected=[*scenario.expect], failures=report.failures(broken, [*scenario.expect]),
        )  # fmt: skip

    def _breaks(self) -> Iterator[BreakReport]:
        """Breaks of sending and receiving clients; those of bystanders affect nothing."""
        taking_part = [client for clients in self._cast.clients.values() for client in clients]
        for thread in self._cast.threads:
            for each in thread.client.breaks if isinstance(thread, Session) and thread.client in taking_part else ():
                away_s = None if each.back_s is None else each.back_s - each.at_s
                at_s = each.at_s - self._begin_s
                yield BreakReport(thread.name, at_s, away_s, each.is_resumed, each.tries, each.sent_again)


def _end(parts: Sequence[Session | BoxThread | Lookout | MemoryWatch]) -> None:
    """Wait for the threads that were started: nobody else may touch a client that its thread still uses."""
    for part in parts:
        part.stop()
    for part in parts:
        if part.is_alive():
            part.join()
