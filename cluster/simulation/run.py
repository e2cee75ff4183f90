"""One run: from the first login until all clients have disconnected."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from cluster.simulation.habits import Habits
from cluster.simulation.lab import SimulatedLab
from cluster.simulation.population import Population, accounts, with_people
from cluster.simulation.report import SimulationReport, broken
from cluster.simulation.troubles import Troubles
from cluster.topology.plan import Plan
from cluster.virtual.timeline import NS

EVENTS_AT_ONCE = 5_000
"""Events between two checks for an interrupt."""
SETTLE_S = 900.0
"""Maximum time for each phase at the end; longer than the timeout of sessions whose client is gone."""
LOOK_EVERY_S = 10.0
MAX_TOLD = 20
"""Maximum of the listed problems of each kind."""

USUAL = Habits()

Tell = Callable[[str], None]
GoOn = Callable[[float, str], None]
"""Lets virtual seconds pass; the text is for the progress line."""


class Interrupted(Exception):
    """The user interrupted the run."""


class Simulation:
    """The people of a lab, its troubles, and the promises that are checked."""

    def __init__(
        self, plan: Plan, seed: int, people: int, troubles: int, duration_s: float, habits: Habits = USUAL
    ) -> None:
        """`people`: how many there are; 0: all accounts of the topology."""
        count = people or len(accounts(plan))
        self.lab = SimulatedLab(with_people(plan, count, seed), seed)
        self.population = Population(self.lab, habits, count)
        self._duration_s = duration_s
        self._troubles = Troubles(self.lab, self.population, troubles, duration_s)
        self._errors = 0
        self._presence: list[str] = []
        self._left_over: list[str] = []
        self._lost = (0, 0)
        self._real_s = 0.0
        self._is_complete = False

    def run(self, tell: Tell, is_stopped: Callable[[], bool]) -> SimulationReport:
        """Run to the end, or until `is_stopped`."""
        began_s = time.perf_counter()
        with self._watched_log():
            try:
                self._run(partial(self._go_on, tell, is_stopped))
                self._is_complete = True
            except Interrupted:
                pass
        self._real_s = time.perf_counter() - began_s
        return self.report()

    def _run(self, go_on: GoOn) -> None:
        people = self.population.people
        started = Deferred.fromCoroutine(self.lab.start())
        go_on(0, "starting")
        if isinstance(failure := getattr(started, "result", None), Failure):
            failure.raiseException()
        for person in people:
            person.begin()
        self._troubles.begin()
        go_on(self._duration_s, "running")
        self._troubles.end()
        for person in people:
            person.rest()
        self._settle(go_on, lambda: True, "settling")
        for person in people:
            person.device.come()
        self._settle(go_on, self._all_is_here, "collecting what waits")
        self._lost = self.population.checker.lost(self.lab.journal.lost)
        for person in people:
            person.leave()
        _until(lambda: not self._what_is_left(), go_on, "leaving")
        self._left_over = self._what_is_left()
        for person in people:
            if person.device.trouble:
                self.population.checker.note("stream", f"{person.jid}: {person.device.trouble}")
        gc.collect()  # a failure that nobody took is logged when its Deferred is forgotten

    def _settle(self, go_on: GoOn, is_done: Callable[[], bool], what: str) -> None:
        """Let time pass until `is_done` and all displayed presence is right, at most SETTLE_S."""
        _until(lambda: not self._mistakes() and is_done(), go_on, what)
        self._presence += self._mistakes()

    def _go_on(self, tell: Tell, is_stopped: Callable[[], bool], for_s: float, what: str) -> None:
        timeline = self.lab.timeline
        until_ns = timeline.now_ns + int(for_s * NS)
        while not timeline.run(until_ns, EVENTS_AT_ONCE):
            if is_stopped():
                raise Interrupted
            tell(f"{what}: {timeline.seconds():,.0f} s, messages: {self.population.checker.sent:,}")

    @contextmanager
    def _watched_log(self) -> Iterator[None]:
        """Count logged failures."""

        @implementer(ILogObserver)  # type: ignore[untyped-decorator]  # zope has no types
        def observe(event: LogEvent) -> None:
            if "log_failure" in event:
                self._errors += 1
                self.population.checker.note("error", event["log_failure"].getErrorMessage())

        globalLogPublisher.addObserver(observe)
        try:
            yield
        finally:
            globalLogPublisher.removeObserver(observe)

    def _mistakes(self) -> list[str]:
        return [mistake for person in self.population.people for mistake in person.mistakes()]

    def _all_is_here(self) -> bool:
        people, checker = self.population.people, self.population.checker
        is_online = all(person.device.is_online and not person.device.unacknowledged for person in people)
        return is_online and checker.under_way <= len(self.lab.journal.lost)

    def _what_is_left(self) -> list[str]:
        left = [each for node in self.lab.nodes.values() for each in node.left_over()]
        if waiting := self.lab.router.waiting:
            left.append(f"router: {waiting} entries")
        left += [f"{person.jid}: still connected" for person in self.population.people if not person.device.is_away]
        return left

    def report(self) -> SimulationReport:
        """The report, also of an interrupted run."""
        lab, people, found = self.lab, self.population.people, self.population.checker
        messages = found.messages(*self._lost)
        return SimulationReport(
            topology=lab.plan.name,
            seed=lab.seed,
            domains=len(lab.memberships),
            people=len(people),
            troubles=self._troubles.happened,
            virtual_s=lab.timeline.seconds(),
            real_s=round(self._real_s, 3),
            events=lab.timeline.events,
            sent_bytes=lab.network.sent_bytes,
            logins=sum(person.logins for person in people),
            breaks=sum(person.device.breaks for person in people),
            stream_errors=sum(person.device.troubles for person in people),
            messages=messages,
            latency_ms=found.percentiles_ms(),
            presence=self._presence[:MAX_TOLD],
            left_over=self._left_over[:MAX_TOLD],
            errors=self._errors,
            examples=found.examples,
            digest=lab.journal.digest,
            is_complete=self._is_complete,
            broken=broken(
                messages,
                had_troubles=bool(self._troubles.happened),
                presence=0 if lab.journal.lost else len(self._presence),  # faults take presence as well
                left_over=len(self._left_over),
                errors=self._errors,
            ),
        )


def _until(is_done: Callable[[], bool], go_on: GoOn, what: str) -> None:
    for _ in range(int(SETTLE_S / LOOK_EVERY_S)):
        go_on(LOOK_EVERY_S, what)
        if is_done():
            return
