"""Work that is gathered and done once at the end of a reactor turn, in the order that makes a crash harmless."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import partial

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.base.clock import Clock

SOON_S = 0.01
"""What nobody waits for is gathered for so long. If the process is killed before, what has to be done comes again."""


class Stage(IntEnum):
    """When in the end of a turn: whoever is killed on the way has done all of what comes before, and none behind.

    What goes to Redis goes over one connection, which keeps this order. So what was handled is counted only behind
    the commands that make it safe, and an entry of a link is acknowledged only behind those that keep its stanzas.
    """

    ARCHIVES = 0
    """Messages are archived: before their receiver can ask for them."""
    LINKS = 1
    """Stanzas are written to the links to other domains."""
    PEERS = 2
    """Stanzas are written to clients and components."""
    SESSIONS = 3
    """It is noted how far the sessions are that can be resumed."""
    ACKNOWLEDGE = 4
    """What came over the links from other domains is acknowledged."""


class Turn:
    """Runs each callable that was added in this turn of the reactor, once, when the turn is over."""

    _log = Logger()

    def __init__(self, clock: Clock) -> None:
        """`clock`: the reactor; one with `at_turn_end` (lab/runtime/write_through.py) needs no timer for each turn."""
        self._at_end = getattr(clock, "at_turn_end", None) or partial(clock.callLater, 0)
        self.kept: Callable[[], Deferred[None] | None] = lambda: None
        """Fires when the storage has not only been given, but has taken what of this turn and those before is to be
        kept of sessions; None: it has. What came over links is acknowledged behind that: a storage that refuses to keep
        may still acknowledge."""
        self._clock = clock
        self._waiting: list[list[Callable[[], None]]] = [[] for _ in Stage]
        self._gathered: list[tuple[Callable[[], None], Stage]] = []
        self._is_gathering = False
        """A timer runs, however often what is gathered is done before it is over."""
        self._is_due = False

    def add(self, work: Callable[[], None], stage: Stage = Stage.PEERS) -> None:
        """`work` is called when this turn is over; the caller adds it once."""
        if stage is Stage.ACKNOWLEDGE:
            self._add_gathered()  # what is gathered may be what makes it safe
        if not self._is_due:
            self._is_due = True
            self._at_end(self.run)
        self._waiting[stage].append(work)

    def soon(self, work: Callable[[], None], stage: Stage) -> None:
        """As `add`, for the end of a turn in SOON_S or less: so that what nobody waits for is gathered.

        It is done no later than anything is acknowledged.
        """
        if not self._is_gathering:
            self._is_gathering = True
            self._clock.callLater(SOON_S, self._on_gathered)
        self._gathered.append((work, stage))

    def _on_gathered(self) -> None:
        self._is_gathering = False
        self._add_gathered()

    def _add_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        for work, stage in gathered:
            self.add(work, stage)

    def run_all(self) -> None:
        """Do now what waits, for the end of this turn or a later one."""
        self._add_gathered()
        self.run()

    def run(self) -> None:
        """Do now what waits, and what comes of it: a later stage only when nothing is left of the earlier ones."""
        stages, stage = self._waiting, 0
        while stage < len(stages):
            waiting, stages[stage] = stages[stage], []
            for work in waiting:
                try:
                    work()
                except Exception:  # the others must not wait for ever
                    self._log.failure("Work at the end of a turn failed")
            stage = 0 if waiting else stage + 1
        self._is_due = False
