"""What comes from one domain over streams, on its way to the guard: faults, places, and a bound to waiting."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Clock
from cluster.base.settled import Settled
from cluster.base.storage import log_failed
from cluster.router.guard import LinkGuard
from cluster.router.port import Deliver
from cluster.router.reader import EntrySink
from cluster.router.s2s.pair import ANSWERING
from cluster.router.s2s.ports import S2sPorts
from cluster.xmpp.stanza import Stanza

SETTLE_S = 30.0
"""So long what came is waited for; then it counts as safe, though it may wait in memory. It may wait for an answer that
the peer acknowledges only behind what it waits for itself."""


class Reading(Protocol):
    """A connection that the link's stanzas come over."""

    def wait(self) -> None:
        """Read no more: the link is full, or nothing passes it now."""

    def go_on(self) -> None:
        """There is room again."""


class ServerSink:
    """The last sink of a link before the guard.

    The entry id has no time any more, so that a stanza has the same place when it comes again (XEP-0198 section 5). And
    nothing takes for ever to settle: the peer learns how far we are only in the order of its stanzas.
    """

    _log = Logger()

    def __init__(self, sink: EntrySink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self._unsettled: deque[tuple[float, Deferred[Any]]] = deque()
        self.may_read, self.let_go = sink.may_read, sink.let_go

    def take(self, entry_id: str, items: list[Any], first: int = 0) -> Settled:
        """See `EntrySink`."""
        answering = ANSWERING.set(True)
        try:
            settled = self._sink.take(entry_id.partition("-")[2], items, first)
        finally:
            ANSWERING.reset(answering)
        if settled is None or settled.called:
            return settled
        within_time: Deferred[Any] = Deferred()
        settled.addBoth(self._on_settled, within_time)
        if not self._unsettled:
            self._clock.callLater(SETTLE_S, self._look)
        self._unsettled.append((self._clock.seconds() + SETTLE_S, within_time))
        return within_time

    def _on_settled(self, result: Any, within_time: Deferred[Any]) -> None:
        if not within_time.called:
            within_time.callback(result)  # or its failure
        elif isinstance(result, Failure):
            log_failed(self._log, "Delivering what was counted as delivered", result)

    def _look(self) -> None:
        """The first of what is left is the oldest."""
        unsettled, now_s = self._unsettled, self._clock.seconds()
        while unsettled and (unsettled[0][1].called or unsettled[0][0] <= now_s):
            within_time = unsettled.popleft()[1]
            if not within_time.called:
                self._log.warn("What came from another server has not settled for {s} s", s=SETTLE_S)
                within_time.callback(None)
        if unsettled:
            self._clock.callLater(unsettled[0][0] - now_s, self._look)


class IncomingLink:
    """What comes from one domain, over however many streams."""

    def __init__(self, from_: str, ports: S2sPorts, deliver: Deliver) -> None:
        guard = LinkGuard(ports.clock, from_, ports.domains[0], ports.served_by, deliver, ports.tracer, cut_here=True)
        self._sink = ports.faults.before(from_, ServerSink(guard, ports.clock), self._on_room)
        self._unsettled = self._unsettled_bytes = 0
        self._paused: dict[Reading, None] = {}

    def take(self, entry_id: str, stanzas: list[Stanza], first: int) -> Settled:
        """See `EntrySink`."""
        size_bytes = sum([len(stanza.raw) for stanza in stanzas])
        settled = self._sink.take(entry_id, stanzas, first)
        if settled is not None:
            self._unsettled += 1
            self._unsettled_bytes += size_bytes
            settled.addBoth(self._on_over, size_bytes)
        return settled

    def pause_if_full(self, connection: Reading) -> None:
        """Read on from it only when there is room."""
        if not self._sink.may_read(self._unsettled, self._unsettled_bytes):
            self._paused[connection] = None
            connection.wait()

    def forget(self, connection: Reading) -> None:
        """It is gone."""
        self._paused.pop(connection, None)

    def _on_over(self, result: Any, size_bytes: int) -> Any:
        self._unsettled -= 1
        self._unsettled_bytes -= size_bytes
        self._on_room()
        return result

    def _on_room(self) -> None:
        if self._paused and self._sink.may_read(self._unsettled, self._unsettled_bytes):
            paused, self._paused = self._paused, {}
            for connection in paused:
                connection.go_on()
