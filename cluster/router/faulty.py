"""A link with faults: an `EntrySink` before the one that checks and delivers."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionLost

from cluster.base.clock import Clock
from cluster.base.settled import Settled, all_of
from cluster.router.chain import Chain
from cluster.router.fault import Passage
from cluster.router.port import STANZA_BYTES
from cluster.router.reader import EntrySink
from cluster.xmpp.copies import Copies, each_of
from cluster.xmpp.stanza import Stanza

MAX_HELD_BYTES = 16 << 20
"""Of stanzas on their way over one link, in the reader's memory; the rest waits in the link's backlog."""


class Entry:
    """Stanzas that came over the link together, and settle together."""

    __slots__ = ("id", "on_the_way", "settled", "unsettled")

    def __init__(self, id: str) -> None:
        self.id = id
        self.on_the_way = 0
        self.unsettled: list[Settled] = []
        self.settled: Deferred[Any] | None = None

    @property
    def sent_s(self) -> float:
        """The time at which its sender wrote it, from its id, in milliseconds. Never too early."""
        return (int(self.id.partition("-")[0]) + 1) / 1000


class Held(NamedTuple):
    """A stanza on its way; the next one to arrive is the least."""

    due_s: float
    number: int
    """Unique."""
    stanza: Stanza
    place: int
    """Its index in its entry."""
    entry: Entry


class Loss(NamedTuple):
    """A stanza that a fault lost."""

    stanza: Stanza
    fault: str


class FaultyLink:
    """Holds stanzas on their way, and passes them on when they are due; without faults all are passed on at once.

    An entry has settled when each of its stanzas was passed on and has settled, or was lost by a fault. So after a
    crash of the reader all stanzas that were on their way are read again, and go through the faults again.
    """

    def __init__(
        self,
        reactor: Clock,
        sink: EntrySink,
        chain: Chain,
        on_lost: Callable[[list[Loss]], None],
        on_room: Callable[[], None],
    ) -> None:
        """The time of `reactor` is that of the entries' ids.

        `on_lost` gets the stanzas that faults lost; `on_room` is called when more may be read than before.
        """
        self._reactor = reactor
        self._sink = sink
        self._chain = chain
        self._on_lost = on_lost
        self._on_room = on_room
        self._held: list[Held] = []
        self._number = 0
        self._last_due_s = 0.0
        self._timer: Any = None
        self._is_stopped = False
        self._held_bytes = 0
        self._held_entries = 0
        """Entries that have stanzas on their way: they do not wait for the domain."""

    def take(self, entry_id: str, items: list[Stanza | Copies], first: int = 0) -> Settled:
        """It settles when all of its stanzas have arrived, or are lost by a fault. Of one for many, each copy has its
        own fate."""
        if self._is_stopped:
            return fail(ConnectionLost("the link is read elsewhere"))
        if not self._chain:
            return self._sink.take(entry_id, items, first)
        now_s = self._reactor.seconds()
        entry = Entry(entry_id)
        sent_s = min(entry.sent_s, now_s)
        lost: list[Loss] = []
        for index, stanza in ((index, each) for index, item in enumerate(items, first) for each in each_of(item)):
            passages, lost_by = self._chain.fate(stanza, sent_s, now_s)
            if lost_by:
                lost.append(Loss(stanza, lost_by))
            for passage in passages:
                self._hold(passage, index, entry)
        if lost:
            self._on_lost(lost)
        self._let_through()
        if not entry.on_the_way:
            return all_of(entry.unsettled)
        self._held_entries += 1
        entry.settled = Deferred()
        return entry.settled

    def may_read(self, unsettled: int, unsettled_bytes: int) -> bool:
        """Not while the link is cut, or more than MAX_HELD_BYTES are on their way."""
        if not self._chain:
            return self._sink.may_read(unsettled, unsettled_bytes)
        now_s = self._reactor.seconds()
        open_s = self._chain.closed_until(now_s)
        if open_s > now_s:
            self._wake_at(open_s)
        is_room = open_s <= now_s and self._held_bytes < MAX_HELD_BYTES
        return is_room and self._sink.may_read(unsettled - self._held_entries, 0)

    def change(self, chain: Chain) -> None:
        """The link has other faults now. Stanzas on their way have passed the old ones: they arrive at once."""
        self._chain = chain
        self._last_due_s = now_s = self._reactor.seconds()
        self._held = [Held(min(held.due_s, now_s), *held[1:]) for held in self._held]
        heapify(self._held)
        self._wake()

    def let_go(self) -> None:
        """Pass on no more: the stanzas on their way are still in the link, for the next reader."""
        self._sink.let_go()
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        held, self._held = self._held, []
        self._held_bytes = self._held_entries = 0
        for entry in {id(each.entry): each.entry for each in held}.values():
            if entry.settled is not None:
                entry.settled.errback(ConnectionLost("the link is read elsewhere"))

    def _hold(self, passage: Passage, index: int, entry: Entry) -> None:
        due_s = passage.due_s
        if passage.in_order:
            due_s = self._last_due_s = max(due_s, self._last_due_s)
        self._number += 1
        heappush(self._held, Held(due_s, self._number, passage.stanza, index, entry))
        self._held_bytes += len(passage.stanza.raw) + STANZA_BYTES
        entry.on_the_way += 1

    def _let_through(self) -> None:
        """Pass on the stanzas that are due, unless the link is closed now."""
        held, now_s = self._held, self._reactor.seconds()
        open_s = self._chain.closed_until(now_s)
        while held and open_s <= now_s and held[0].due_s <= now_s:
            self._arrive(heappop(held))
        if held:
            self._wake_at(max(open_s, held[0].due_s))

    def _arrive(self, held: Held) -> None:
        entry = held.entry
        self._held_bytes -= len(held.stanza.raw) + STANZA_BYTES
        entry.unsettled.append(self._sink.take(entry.id, [held.stanza], held.place))
        entry.on_the_way -= 1
        if entry.on_the_way or entry.settled is None:
            return
        self._held_entries -= 1
        all_settled = all_of(entry.unsettled)
        if all_settled is None:
            entry.settled.callback(None)
        else:
            all_settled.chainDeferred(entry.settled)

    def _wake_at(self, at_s: float) -> None:
        if self._timer is not None:
            if self._timer.getTime() <= at_s:
                return
            self._timer.cancel()
            self._timer = None
        if at_s < math.inf:
            self._timer = self._reactor.callLater(max(0.0, at_s - self._reactor.seconds()), self._wake)

    def _wake(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._let_through()
        self._on_room()
