"""What is on its way from one domain to another: queued until there is a stream, kept until it is safe."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.base import reasons
from cluster.base.settled import Settled
from cluster.base.turn import Stage
from cluster.router.batch import MAX_BATCH_BYTES
from cluster.router.port import QUEUE, STANZA_BYTES, Bounce
from cluster.router.s2s.outgoing import OutgoingConnection
from cluster.router.s2s.ports import S2sPorts
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.namespaces import SERVER
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.content_namespace import into_stream
from cluster.xmpp.streams.servers.dialback import Pair
from cluster.xmpp.streams.servers.initiating import Opened
from cluster.xmpp.streams.servers.stream import ServerOptions
from cluster.xmpp.streams.sm import StreamManagement

QUEUE_S = 60.0
"""So long stanzas wait, while nothing reaches the peer; then their senders get remote-server-timeout."""
MAX_WAITING_BYTES = 64 << 20
"""What one pair may hold in memory: what waits, and what is not acknowledged."""


ANSWERING: ContextVar[bool] = ContextVar("answering", default=False)
"""What another server sent is being delivered. An answer that goes back over such a stream settles at once: if that one
waited for its acknowledgement, and the other server does the same, each would acknowledge the answer only behind what
waits for the other's."""


class Batch:
    """Stanzas that are written in one turn, or wait for that, and settle together."""

    __slots__ = ("settled", "size_bytes", "stanzas")

    def __init__(self) -> None:
        self.stanzas: deque[Stanza] = deque()
        """Those that are not safe yet."""
        self.size_bytes = 0
        self.settled: Deferred[None] = Deferred()


class OutgoingPair:
    """The way of all stanzas from one domain to another, in their order, over one stream after the other.

    Where the peer acknowledges (XEP-0198), what is not acknowledged is sent again over the next stream, and a batch has
    settled when all of it is acknowledged; else when it is written. Nobody waits longer than `QUEUE_S` for a peer that
    takes streams and acknowledges nothing.
    """

    _log = Logger()

    def __init__(
        self, pair: Pair, options: ServerOptions, ports: S2sPorts, bounce: Bounce, forget: Callable[[Pair], None]
    ) -> None:
        """`forget` is called where the pair has no address to go to."""
        self._forget = forget
        self._pair = pair
        self._options = options
        self._ports = ports
        self._bounce = bounce
        self._waiting: deque[Batch] = deque()
        self._written: deque[Batch] = deque()
        self._count = 0
        self._size_bytes = 0
        self._connection: OutgoingConnection | None = None
        """The one over which stanzas flow."""
        self._former: StreamManagement | None = None
        self._is_connecting = self._is_due = self._is_writable = self._is_stopped = False
        self._failures = 0
        self._reason = ""
        """Of the last failure."""
        self._retry: Any = None
        self._deadline: Any = None
        self._progress_s = 0.0
        """When something reached the peer, or began to wait for that."""
        self._is_stuck = False
        """The peer takes streams, and acknowledges nothing: nobody waits for it."""

    @property
    def is_busy(self) -> bool:
        """Something is not safe yet."""
        return bool(self._waiting or self._written)

    def send(self, stanza: Stanza) -> Settled:
        """Carry the stanza; see `Link`."""
        size_bytes = len(stanza.raw) + STANZA_BYTES
        if self._count >= self._ports.max_backlog or self._size_bytes + size_bytes > MAX_WAITING_BYTES:
            text = f"{self._count} stanzas wait for {self._pair.to}"
            full = StanzaError(Condition.REMOTE_SERVER_TIMEOUT, text, reason=reasons.LINK_FULL)
            return self._bounce(stanza, full)
        if not self._count:
            self._progress_s = self._ports.clock.seconds()
            self._watch()
        self._count += 1
        self._size_bytes += size_bytes
        if not self._is_due:
            self._is_due = True
            self._ports.turn.add(self._flush, Stage.LINKS)
        waiting = self._waiting
        if not waiting or (batch := waiting[-1]).size_bytes + size_bytes > MAX_BATCH_BYTES:
            batch = Batch()
            waiting.append(batch)
        batch.stanzas.append(stanza)
        batch.size_bytes += size_bytes
        is_awaited = _is_awaited(stanza) and not ANSWERING.get() and not self._is_stuck
        return batch.settled if is_awaited else None

    def stop(self) -> None:
        """End the stream, and begin no further one."""
        self._is_stopped = True
        self._cancel_deadline()
        if self._connection is not None:
            self._connection.end()

    # --- a stream, and what comes of it

    def _flush(self) -> None:
        self._is_due = False
        connection = self._connection
        if connection is None:
            self._connect()
            return
        while self._waiting and self._is_writable and self._connection is connection:
            self._write(connection, self._waiting.popleft())

    def _write(self, connection: OutgoingConnection, batch: Batch) -> None:
        written: list[Stanza] = []
        kept: deque[Stanza] = deque()
        max_bytes = connection.stream.max_bytes
        for stanza in batch.stanzas:
            outgoing = into_stream(stanza, SERVER)
            if max_bytes and len(outgoing.raw) > max_bytes:  # XEP-0478 section 4
                text = f"{self._pair.to} takes stanzas of at most {max_bytes} bytes"
                self._free(stanza)
                self._bounce(stanza, StanzaError(Condition.POLICY_VIOLATION, text, reason=reasons.TOO_LARGE))
                continue
            if stanza.trace_id:  # recorded before the other side can see it
                self._ports.tracer.record("enqueued", stanza, f"to {self._pair.to}", node=QUEUE)
            written.append(outgoing)
            kept.append(stanza)
        batch.stanzas = kept
        if connection.stream.management is not None and kept:
            self._written.append(batch)
        if written:
            connection.write(written)
        if connection.stream.management is None or not kept:
            self._on_progress()
            self._settle(batch)

    def _connect(self) -> None:
        """Open a stream, unless one is on its way, the last one has just failed, or there is nothing for it."""
        is_soon = self._is_connecting or self._retry is not None
        if is_soon or self._connection is not None or not self.is_busy or self._is_stopped:
            return
        self._is_connecting = True
        self._watch()
        opening = Deferred.fromCoroutine(self._open())
        opening.addErrback(lambda failure: self._failed(failure.getErrorMessage()))

    async def _open(self) -> None:
        addresses = await self._ports.names(self._pair.to)
        if not addresses:
            self._is_connecting = False
            text = f"there is no address of {self._pair.to}"
            self._forget(self._pair)
            self._refuse_all(StanzaError(Condition.REMOTE_SERVER_NOT_FOUND, text, reason=reasons.NO_DOMAIN))
            return
        for address in addresses:
            connection = OutgoingConnection(self._pair, self._options, self._ports, self, self._former)
            try:
                await self._ports.dial(address, connection)
                return  # the connection says what becomes of it
            except Exception as error:  # any: the next address may do
                self._reason = f"{address.host}:{address.port}: {error}"
        self._failed(self._reason)

    def _failed(self, reason: str) -> None:
        """No stream came of it; try again, later and later."""
        self._is_connecting = False
        self._reason = reason
        if not self._failures:  # the first of many
            self._log.warn("no stream to {to}: {reason}", to=self._pair.to, reason=reason)
        pause_s = self._ports.backoff.pause_s(self._failures)
        self._failures += 1
        if self.is_busy and not self._is_stopped:
            self._retry = self._ports.clock.callLater(pause_s, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._connect()

    def opened(self, connection: OutgoingConnection, event: Opened) -> None:
        """What the former stream left unacknowledged is written again, unless this one resumed it."""
        self._is_connecting = False
        self._connection, self._is_writable = connection, True
        self.acknowledged(event.acknowledged)
        if not event.is_resumed:
            self._take_back()
        self._former = connection.stream.management
        self._flush()

    def _take_back(self) -> None:
        """What was written over a stream that is gone for good is to be written again, before all else."""
        self._waiting.extendleft(reversed(self._written))
        self._written.clear()

    def acknowledged(self, count: int) -> None:
        """The `count` oldest stanzas are safe with the peer: their room is free, and a batch settles with its last."""
        written = self._written
        if count:
            self._on_progress()
        while count:
            batch = written[0]
            stanzas = batch.stanzas
            for _ in range(min(count, len(stanzas))):
                self._free(stanzas.popleft())
                count -= 1
            if not stanzas:
                self._settle(written.popleft())

    def lost(self, connection: OutgoingConnection, reason: str) -> None:
        """Connect again after a pause; if the peer refused the stream for good, all that waits is refused."""
        was_open = self._connection is connection
        if was_open:
            self._connection, self._is_writable = None, False
            self._log.info("stream to {to} ended: {reason}", to=self._pair.to, reason=reason)
        if self._former is not None and not self._former.is_resumable:
            self._former = None
            self._take_back()
        if (failure := connection.stream.failure) is not None:
            self._is_connecting = False
            self._log.warn("no stream to {to}: {reason}", to=self._pair.to, reason=reason)
            self._refuse_all(failure)
        else:
            self._failed(reason)

    def pause(self) -> None:
        """The peer does not read what it has been sent."""
        self._is_writable = False

    def resume(self) -> None:
        """The peer reads again."""
        self._is_writable = True
        self._flush()

    # --- what is safe, or cannot be carried

    def _watch(self, within_s: float = QUEUE_S) -> None:
        if self._deadline is None:
            self._deadline = self._ports.clock.callLater(within_s, self._on_deadline)

    def _on_deadline(self) -> None:
        self._deadline = None
        left_s = self._progress_s + QUEUE_S - self._ports.clock.seconds()
        if not self.is_busy:
            return
        if left_s > 0:
            self._watch(left_s)
            return
        if self._connection is not None:  # which is found out if it is dead
            self._stop_waiting()
            return
        text = f"{self._pair.to} cannot be reached: {self._reason or 'it does not answer'}"
        self._refuse_all(StanzaError(Condition.REMOTE_SERVER_TIMEOUT, text, reason=reasons.NO_STREAM))

    def _stop_waiting(self) -> None:
        """Nobody is held up by a peer that is alive, and may have all of it. What is not acknowledged is kept."""
        if not self._is_stuck:
            self._log.warn("{to} acknowledges nothing; {count} stanzas are kept", to=self._pair.to, count=self._count)
        self._is_stuck = True
        for batch in [*self._written, *self._waiting]:
            if not batch.settled.called:
                batch.settled.callback(None)

    def _on_progress(self) -> None:
        """Something reached the peer. A stream that opens is none: a peer may end it for what it is sent, again and
        again.
        """
        self._failures = 0
        self._progress_s = self._ports.clock.seconds()
        if self._is_stuck:
            self._is_stuck = False
            self._watch()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse_all(self, error: StanzaError) -> None:
        """Also what was written and is not acknowledged: nobody knows of it, and its sender must not wait for ever."""
        self._cancel_deadline()
        self._is_stuck = False
        if self._former is not None:  # a connection may be about to resume it
            self._former.give_up()
            self._former = None
        refused = [*self._written, *self._waiting]
        self._written.clear()
        self._waiting.clear()
        for batch in refused:
            for stanza in batch.stanzas:
                self._free(stanza)
                self._bounce(stanza, error)
            batch.stanzas.clear()
            self._settle(batch)

    def _free(self, stanza: Stanza) -> None:
        self._count -= 1
        self._size_bytes -= len(stanza.raw) + STANZA_BYTES

    def _settle(self, batch: Batch) -> None:
        for stanza in batch.stanzas:
            self._free(stanza)
        if not batch.settled.called:
            batch.settled.callback(None)


def _is_awaited(stanza: Stanza) -> bool:
    """Whether its sender is told only when the peer has it. What a server says by itself, and what is repeated where it
    matters, is not waited for: two servers that handle each other's presence would wait for each other's
    acknowledgements, each of which comes behind what its own side waits for.
    """
    return stanza.kind == "message" and stanza.type != "error"
