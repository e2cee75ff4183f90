"""The stanzas of one domain, from its streams to the guard: faults, back-pressure, and a time limit to settle."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Clock
from cluster.base.settled import Settled
from cluster.base.storage import log_failed
from cluster.router.guard import LinkGuard
from cluster.router.port import Receiver
from cluster.router.reader import EntrySink
from cluster.router.s2s.ports import S2sPorts
from cluster.xmpp.stanza import Stanza

SETTLE_S = 30.0
"""How long an entry may take to settle; then it counts as safe, though its stanzas are only in memory. They may wait
for an answer that the peer acknowledges only after them."""

ANSWERING: ContextVar[bool] = ContextVar("answering", default=False)
"""A stanza from another server is being delivered. An answer to it that goes over such a stream settles at once: if two
servers waited for the acknowledgement of each other's answers, neither would come, since stanzas are acknowledged in
order and the ones that caused the answers come first."""


class Reading(Protocol):
    """A connection over which stanzas of the link come."""

    def wait(self) -> None:
        """Stop reading: the link is full, or a fault closes it."""

    def go_on(self) -> None:
        """Read again: there is room."""


class ServerSink:
    """The last sink of a link before the guard.

    It removes the time from the entry id, so that a stanza has the same place when it comes again (XEP-0198 section 5),
    and bounds the time to settle, since one entry that never settles would keep all later ones unacknowledged.
    """

    _log = Logger()

    def __init__(self, sink: EntrySink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self._unsettled: deque[tuple[float, Deferred[Any]]] = deque()
        self.may_read, self.let_go = sink.may_read, sink.let_go

    def take(self, entry_id: str, items: list[Any], first: int = 0) -> Settled:
        """Pass the entry on, as `EntrySink`; it settles within SETTLE_S."""
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
        """Settle the entries whose time is over; the oldest comes first."""
        unsettled, now_s = self._unsettled, self._clock.seconds()
        while unsettled and (unsettled[0][1].called or unsettled[0][0] <= now_s):
            within_time = unsettled.popleft()[1]
            if not within_time.called:
                self._log.warn("What came from another server has not settled for {s} s", s=SETTLE_S)
                within_time.callback(None)
        if unsettled:
            self._clock.callLater(unsettled[0][0] - now_s, self._look)


class IncomingLink:
    """The link from one domain, over any number of streams."""

    def __init__(self, from_: str, ports: S2sPorts, receiver: Receiver) -> None:
        receiver = receiver if from_ in ports.recorded else ports.foreign.entrance(receiver)
        guard = LinkGuard(ports.clock, from_, ports.domains[0], ports.served_by, receiver, ports.tracer, cut_here=True)
        self._sink = ports.faults.before(from_, ServerSink(guard, ports.clock), self._on_room)
        self._unsettled = self._unsettled_bytes = 0
        self._paused: dict[Reading, None] = {}

    @property
    def is_busy(self) -> bool:
        """Something that came is not safe yet."""
        return self._unsettled > 0

    @property
    def is_idle(self) -> bool:
        """All that came is safe, and no connection waits for room."""
        return not (self._unsettled or self._paused)

    def take(self, entry_id: str, stanzas: list[Stanza], first: int) -> Settled:
        """Accept one entry, as `EntrySink`."""
        size_bytes = sum([len(stanza.raw) for stanza in stanzas])
        settled = self._sink.take(entry_id, stanzas, first)
        if settled is not None:
            self._unsettled += 1
            self._unsettled_bytes += size_bytes
            settled.addBoth(self._on_over, size_bytes)
        return settled

    def pause_if_full(self, connection: Reading) -> None:
        """Stop reading from this connection if there is no room."""
        if not self._sink.may_read(self._unsettled, self._unsettled_bytes):
            self._paused[connection] = None
            connection.wait()

    def forget(self, connection: Reading) -> None:
        """The connection is gone."""
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
