"""Work that is gathered and done once at the end of a reactor turn, in the order that makes a crash harmless."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import partial

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.base.clock import Clock

SOON_S = 0.01
"""Work that nobody waits for is gathered for this time. If the process is killed before, the work comes again."""


class Stage(IntEnum):
    """The stages of the end of a turn: a crash leaves every earlier stage done and no later one started.

    Commands to Redis go over one connection, which keeps this order. So a stanza is counted as handled only after the
    commands that make it safe, and an entry of a link is acknowledged only after those that keep its stanzas.
    """

    ARCHIVES = 0
    """Archive messages, before their receiver can ask for them."""
    LINKS = 1
    """Write stanzas to the links to other domains."""
    PEERS = 2
    """Write stanzas to clients and components."""
    SESSIONS = 3
    """Store the counts of sessions that can be resumed."""
    ACKNOWLEDGE = 4
    """Acknowledge the entries of links from other domains."""


class Turn:
    """Runs each callable that was added in this turn of the reactor, once, when the turn is over."""

    _log = Logger()

    def __init__(self, clock: Clock) -> None:
        """`clock`: the reactor; one with `at_turn_end` (lab/runtime/write_through.py) needs no timer for each turn."""
        self._at_end = getattr(clock, "at_turn_end", None) or partial(clock.callLater, 0)
        self.kept: Callable[[], Deferred[None] | None] = lambda: None
        """Fires when the storage has accepted what this turn and earlier ones wrote for sessions; None if it has.

        Entries of links are acknowledged after that: a storage that refuses to keep sessions may still accept
        acknowledgements.
        """
        self.may_run: Callable[[], bool] = lambda: True
        """False while this process does not know whether another one has taken over its work: everything waits, until
        `run` is called again."""
        self._clock = clock
        self._waiting: list[list[Callable[[], None]]] = [[] for _ in Stage]
        self._gathered: list[tuple[Callable[[], None], Stage]] = []
        self._is_gathering = False
        """A timer runs; gathered work may be done several times before it fires."""
        self._is_due = False

    def add(self, work: Callable[[], None], stage: Stage = Stage.PEERS) -> None:
        """Call `work` when this turn is over; the caller adds it once."""
        if stage is Stage.ACKNOWLEDGE:
            self._add_gathered()  # gathered work may be what makes it safe
        if not self._is_due:
            self._is_due = True
            self._at_end(self.run)
        self._waiting[stage].append(work)

    def soon(self, work: Callable[[], None], stage: Stage) -> None:
        """As `add`, for the end of a turn in SOON_S or less, for work that nobody waits for. It is done before anything
        is acknowledged."""
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
        """Do all waiting work now, for the end of this turn or a later one."""
        self._add_gathered()
        self.run()

    def run(self) -> None:
        """Do the waiting work now if it may be done, and the work that it adds: a later stage only when nothing is left
        of the earlier ones."""
        if not self.may_run():
            return
        stages, stage = self._waiting, 0
        while stage < len(stages):
            waiting = stages[stage]
            if not waiting:
                stage += 1
                continue
            stages[stage] = []
            for work in waiting:
                try:
                    work()
                except Exception:  # the others must not wait forever
                    self._log.failure("Work at the end of a turn failed")
            stage = 0
        self._is_due = False
