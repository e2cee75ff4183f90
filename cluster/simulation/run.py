"""One run: from the first login until all clients have disconnected."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cluster.simulation import leaks
from cluster.simulation.collection import collected_by_events
from cluster.simulation.costs import cpu_shares
from cluster.simulation.errors import logged_errors
from cluster.simulation.invariants import archives, rosters
from cluster.simulation.lab import SimulatedLab
from cluster.simulation.person import Person
from cluster.simulation.population import Population
from cluster.simulation.report import SimulationReport, broken
from cluster.simulation.troubles import Troubles
from cluster.simulation.wall_clock import START_UTC_S
from cluster.xmpp.stanza import make

SETTLE_S = 900.0
"""Maximum time for each phase at the end; longer than the timeout of sessions whose client is gone."""
LOOK_EVERY_S = 10.0
AT_ONCE = 1_000
"""People who log in or out at the same moment, where all do: a session that is awake takes some 30 KiB more."""
PAUSE_S = 0.5
"""Time between two such groups."""
MAX_AGAIN = 20
"""People that come again to show what grows, and messages that each of them writes."""
MAX_TOLD = 20
"""Maximum of the listed problems of each kind."""

Tell = Callable[[str], None]
GoOn = Callable[[float, str], None]
"""Lets virtual seconds pass; the text is for the progress line."""


class Interrupted(Exception):
    """The user interrupted the run."""


@dataclass(frozen=True)
class Course:
    """What happens in a run."""

    people: Sequence[int]
    """Numbers of the accounts that have a client, in the order of `population.accounts`."""
    troubles: Sequence[int]
    """Numbers of the troubles."""
    duration_s: float
    """The time over which the troubles are distributed."""
    until_s: float
    """When people stop acting."""


class Simulation:
    """The people of a lab, its troubles, and the promises that are checked."""

    def __init__(self, lab: SimulatedLab, course: Course) -> None:
        """`lab`: its plan has an account for each of the people, and their rooms (`population.with_people`)."""
        self.lab = lab
        self.population = Population(lab, course.people)
        if lab.recording is not None:
            self.population.checker.by_second = {}
        self._until_s = course.until_s
        self.troubles = Troubles(lab, self.population, course.troubles, course.duration_s)
        self._errors = 0
        self._presence: list[str] = []
        self._rosters: list[str] = []
        self._archives: list[str] = []
        self._left_over: list[str] = []
        self._leaks: list[str] = []
        self._lost = (0, 0)
        self._real_s = 0.0
        self._is_complete = False

    def run(self, tell: Tell, is_stopped: Callable[[], bool]) -> SimulationReport:
        """Run to the end, or until `is_stopped`."""
        began_s = time.perf_counter()
        collected = collected_by_events(self.lab.timeline, len(self.population.resources))
        with logged_errors() as errors, collected:
            try:
                self._run(partial(self._go_on, tell, is_stopped))
                self._is_complete = True
            except Interrupted:
                pass
        self._errors = len(errors)
        for error in errors:
            self.population.checker.note("error", error)
        self._real_s = time.perf_counter() - began_s
        if self.lab.recording is not None:
            seconds = self.population.checker.by_second or {}
            measured = {"messages": {START_UTC_S + at: each for at, each in seconds.items()}}
            self.lab.recording.end(START_UTC_S, self.lab.utc_s(), measured)
        return self.report()

    def _run(self, go_on: GoOn) -> None:
        people = self.population.people
        started = Deferred.fromCoroutine(self.lab.start())
        go_on(0, "starting")
        if isinstance(failure := getattr(started, "result", None), Failure):
            failure.raiseException()
        for person in people:
            person.begin()
        for box in self.population.boxes:
            box.begin()
        self.troubles.begin()
        go_on(self._until_s, "running")
        self.troubles.end()
        for person in people:
            person.rest()
        for box in self.population.boxes:
            box.rest()
        self._settle(go_on, lambda: True, "settling")
        for person in self._in_groups(go_on, "collecting what waits"):
            person.come()
        self._settle(go_on, self._all_is_here, "collecting what waits")
        self._lost = self.population.checker.lost(self.lab.journal.lost)
        self.population.checker.rooms.settle()
        self._rosters, self._archives = [*rosters(self.lab)], [*archives(self.lab, self.population)]
        for person in self._in_groups(go_on, "leaving"):
            person.leave()
        _until(lambda: not self._what_is_left(), go_on, "leaving")
        self._left_over = self._what_is_left()
        self._leaks = [] if self._left_over else self._what_grows(go_on)
        for each in self.population.resources:
            if each.device.trouble:
                self.population.checker.note("stream", f"{each.jid}: {each.device.trouble}")

    def _in_groups(self, go_on: GoOn, what: str) -> Iterator[Person]:
        """All people, with a pause after each AT_ONCE of them."""
        for number, person in enumerate(self.population.people):
            if number and number % AT_ONCE == 0:
                go_on(PAUSE_S, what)
            yield person

    def _settle(self, go_on: GoOn, is_done: Callable[[], bool], what: str) -> None:
        """Let time pass until `is_done` and all displayed presence is right, at most SETTLE_S."""
        _until(lambda: not self._mistakes() and is_done(), go_on, what)
        self._presence += self._mistakes()

    def _go_on(self, tell: Tell, is_stopped: Callable[[], bool], for_s: float, what: str) -> None:
        def meanwhile() -> None:
            if is_stopped():
                raise Interrupted
            tell(f"{what}: {self.lab.timeline.seconds():,.0f} s, messages: {self.population.checker.sent:,}")

        self.lab.let_pass(for_s, meanwhile)

    def _mistakes(self) -> list[str]:
        return [mistake for each in self.population.resources for mistake in each.mistakes()]

    def _all_is_here(self) -> bool:
        devices, checker = [each.device for each in self.population.resources], self.population.checker
        is_online = all(device.is_online and not device.unacknowledged for device in devices)
        return is_online and checker.under_way + checker.rooms.under_way <= len(self.lab.journal.lost)

    def _what_is_left(self) -> list[str]:
        left = self.lab.left_over()
        left += [f"{each.jid}: still connected" for each in self.population.resources if not each.device.is_away]
        return left

    def _what_grows(self, go_on: GoOn) -> list[str]:
        """Some people come, write and go again, twice in the same way: the second time nothing may grow."""
        people = [*self.population.people]
        some = people[:: -(-len(people) // MAX_AGAIN)]
        devices = [each.device for person in some for each in person.resources]
        servers = (each.server for person in some for each in person.resources)
        nodes = dict.fromkeys(server for server in servers if server in self.lab.nodes)
        seen = []
        for _ in range(2):
            for device in devices:
                device.come()
            _until(lambda: all(device.is_online for device in devices), go_on, "coming again")
            for person in some:
                person.resources[0].device.send(
                    [make("message", to=to.jid, id="again") for to in person.contacts[:MAX_AGAIN]]
                )
            go_on(LOOK_EVERY_S, "writing again")
            for person in some:
                person.leave()
            _until(lambda: not self._what_is_left(), go_on, "leaving again")
            seen.append(leaks.look(self.lab, nodes))
        return [*leaks.growth(*seen)]

    def report(self) -> SimulationReport:
        """The report, also of an interrupted run."""
        lab, devices, found = self.lab, self.population.resources, self.population.checker
        messages = found.messages(*self._lost)
        return SimulationReport(
            topology=lab.plan.name,
            seed=lab.seed,
            domains=len(lab.domains),
            people=len(self.population.people),
            devices=len(devices),
            troubles=[str(trouble) for trouble in self.troubles.happened],
            virtual_s=lab.timeline.seconds(),
            real_s=round(self._real_s, 3),
            events=lab.timeline.events,
            sent_bytes=lab.network.sent_bytes,
            logins=sum(each.logins for each in devices),
            breaks=sum(len(each.device.breaks) for each in devices),
            stream_errors=sum(each.device.troubles for each in devices),
            messages=messages,
            rooms=found.rooms.report(),
            latency_ms=found.percentiles_ms(),
            presence=self._presence[:MAX_TOLD],
            rosters=self._rosters[:MAX_TOLD],
            archives=self._archives[:MAX_TOLD],
            left_over=self._left_over[:MAX_TOLD],
            leaks=self._leaks[:MAX_TOLD],
            errors=self._errors,
            examples=found.examples,
            cpu=cpu_shares(lab.machines, lab.timeline.seconds()),
            digest=lab.journal.digest,
            is_complete=self._is_complete,
            broken=broken(
                messages,
                found.rooms.report(),
                redis_was_away=self.troubles.redis_was_away,
                had_troubles=bool(self.troubles.happened),
                presence=0 if lab.journal.lost else len(self._presence),  # faults take presence as well
                rosters=len(self._rosters),
                archives=len(self._archives),
                left_over=len(self._left_over),
                leaks=len(self._leaks),
                errors=self._errors,
            ),
        )


def _until(is_done: Callable[[], bool], go_on: GoOn, what: str) -> None:
    for _ in range(int(SETTLE_S / LOOK_EVERY_S)):
        go_on(LOOK_EVERY_S, what)
        if is_done():
            return
