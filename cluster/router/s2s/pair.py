"""The streams for the stanzas from one domain to another, one after the other: opened when stanzas wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.base import reasons
from cluster.base.settled import Settled
from cluster.base.turn import Stage
from cluster.router.port import QUEUE
from cluster.router.s2s.connecting import NoStream, connect
from cluster.router.s2s.connection import ServerConnection
from cluster.router.s2s.incoming import IncomingConnection, IncomingStreams
from cluster.router.s2s.incoming_link import ANSWERING
from cluster.router.s2s.outgoing import Opening, OutgoingConnection
from cluster.router.s2s.ports import Address, S2sPorts
from cluster.router.s2s.queue import Batch, Held, PairQueue
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.namespaces import SERVER
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.content_namespace import into_stream
from cluster.xmpp.streams.servers.dialback import Pair
from cluster.xmpp.streams.servers.events import Opened
from cluster.xmpp.streams.servers.stream import ServerOptions
from cluster.xmpp.streams.sm import StreamManagement

QUEUE_S = 60.0
"""How long stanzas wait while nothing reaches the peer; then their senders get remote-server-timeout."""


class OutgoingPair(Opening):
    """Sends all stanzas from one domain to another, in their order, over successive streams.

    If the peer supports XEP-0198, what it has not acknowledged is sent again over the next stream, and a batch has
    settled when all of it is acknowledged; otherwise when it is written. If the peer accepts streams and acknowledges
    nothing for `QUEUE_S`, batches settle unacknowledged.
    """

    _log = Logger()

    def __init__(
        self, pair: Pair, options: ServerOptions, ports: S2sPorts, incoming: IncomingStreams,
        held: Held, forget: Callable[[Pair], None],
    ) -> None:  # fmt: skip
        """`forget` is called if the target domain has no address. `incoming`: the streams of others, of which one may
        be bidirectional.
        """
        self._forget = forget
        self._incoming = incoming
        self._pair = pair
        self._options = options
        self._ports = ports
        self._is_foreign = ports.served_by.get(pair.to, pair.to) not in ports.recorded
        self._bounce = incoming.bounce
        self._queue = PairQueue(pair.to, held, ports.max_backlog)
        self._connection: ServerConnection | None = None
        """The open one, over which stanzas flow: this server's, or a bidirectional one of the peer."""
        self._former: StreamManagement | None = None
        self._opening: Deferred[None] = Deferred()
        self._attempt: OutgoingConnection | None = None
        """The newest one to open a stream."""
        self._is_connecting = self._is_due = self._is_stopped = False
        self._is_writable = True
        """The peer reads what it is sent; so does one to which nothing has been sent."""
        self._failures = 0
        self._reason = ""
        """Why the last attempt to open a stream failed."""
        self._retry: Any = None
        self._deadline: Any = None
        self._progress_s = 0.0
        """When a stanza last reached the peer, or when the first of those that wait was sent."""
        self._is_stuck = False
        """The peer accepts streams and acknowledges nothing: batches settle without it."""

    @property
    def is_busy(self) -> bool:
        """Some stanza is not acknowledged, or not written."""
        return self._queue.is_busy

    @property
    def is_idle(self) -> bool:
        """No stanza needs its stream, which the peer's stanzas may share."""
        is_shared = self._connection is not None and self._connection.stream.is_bidirectional
        return not self.is_busy and not is_shared

    def send(self, stanza: Stanza) -> Settled:
        """Carry the stanza. It has settled as its batch has; None if its sender need not wait."""
        if (error := self._queue.why_full(stanza)) is not None:
            return self._bounce(stanza, error)
        if not self._queue.count:
            self._progress_s = self._ports.clock.seconds()
            self._watch()
        batch = self._queue.put(stanza)
        if not self._is_due:
            self._is_due = True
            self._ports.turn.add(self._flush, Stage.LINKS)
        is_awaited = _is_awaited(stanza) and not ANSWERING.get() and not self._is_stuck
        return batch.settled if is_awaited else None

    def stop(self) -> None:
        """End the stream, and open no other one."""
        self._is_stopped = True
        self._cancel_deadline()
        if self._connection is not None:
            self._connection.end()

    # --- streams

    def _flush(self) -> None:
        self._is_due = False
        connection = self._connection
        if connection is None:
            self.connect()
            return
        while self._is_writable and self._connection is connection and (batch := self._queue.next()) is not None:
            self._write(connection, batch)

    def _write(self, connection: ServerConnection, batch: Batch) -> None:
        written: list[Stanza] = []
        kept: deque[Stanza] = deque()
        max_bytes = connection.stream.max_bytes
        for stanza in batch.stanzas:
            outgoing = into_stream(stanza, SERVER)
            if max_bytes and len(outgoing.raw) > max_bytes:  # XEP-0478 section 4
                text = f"{self._pair.to} takes stanzas of at most {max_bytes} bytes"
                self._queue.free(stanza)
                self._bounce(stanza, StanzaError(Condition.POLICY_VIOLATION, text, reason=reasons.TOO_LARGE))
                continue
            if stanza.trace_id:  # recorded before the other side can see it
                self._ports.tracer.record("enqueued", stanza, f"to {self._pair.to}", node=QUEUE)
                if self._is_foreign:
                    self._ports.foreign.sent(stanza)
            written.append(outgoing)
            kept.append(stanza)
        batch.stanzas = kept
        if connection.stream.management is not None and kept:
            self._queue.await_acknowledgement(batch)
        if written:
            connection.write(written)
        if connection.stream.management is None or not kept:
            self._on_progress()
            self._queue.settle(batch)

    def connect(self) -> None:
        """Open a stream, unless one is being opened, the pause after a failure is not over, or nothing waits.

        A bidirectional stream of the peer does as well, unless one of this server may be resumed, or is negotiated.
        """
        if self._connection is not None or not self.is_busy or self._is_stopped:
            return
        way_back = self._incoming.both_ways.get(self._pair) if self._former is None else None
        if way_back is not None and (not self._is_connecting or self._is_dialing):
            self._take(way_back)
            return
        if self._is_connecting or self._retry is not None:
            return
        self._is_connecting = True
        self._watch()
        self._attempt = None
        self._opening = Deferred.fromCoroutine(self._open())
        self._opening.addErrback(lambda failure: self._failed(failure.getErrorMessage()))

    def _take(self, way_back: IncomingConnection) -> None:
        """Write over this stream of the peer, as soon as that is open both ways: then `connect` is called again."""
        self._watch()
        if way_back.is_open_both_ways:
            if self._retry is not None:
                self._retry.cancel()
                self._retry = None
            way_back.carry(self)
            self._go_on(way_back)
            if self._is_connecting:
                self._opening.cancel()

    @property
    def _is_dialing(self) -> bool:
        """The peer has not answered the TCP connection yet, and may never do."""
        return self._attempt is not None and self._attempt.transport is None

    async def _open(self) -> None:
        try:
            is_open = await connect(self._ports, self._pair.to, self._at)
        except NoStream as error:
            self._is_connecting = False
            if self._connection is None:  # it did not find another way meanwhile
                self._over(str(error), error.failure)
            return
        if is_open is None:
            self._is_connecting = False
            if self._is_stopped:
                return
            text = f"there is no address of {self._pair.to}"
            self._forget(self._pair)
            self._refuse_all(StanzaError(Condition.REMOTE_SERVER_NOT_FOUND, text, reason=reasons.NO_DOMAIN))

    def _at(self, address: Address) -> OutgoingConnection:
        if self._is_stopped or self._connection is not None:
            raise NoStream("no stream is needed any more")
        self._drop_former()
        self._attempt = OutgoingConnection(
            self._pair, self._options, self._ports, self._incoming, self, self._former, address
        )  # fmt: skip
        return self._attempt

    def _failed(self, reason: str) -> None:
        """There is no stream; try again after a pause that grows with each failure."""
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
        self.connect()

    def opened(self, connection: OutgoingConnection, event: Opened) -> None:
        """What the former stream left unacknowledged is written again, unless this one resumed it."""
        self._is_connecting = False
        if self._is_stopped:
            connection.end()
            return
        self.acknowledged(event.acknowledged)
        if event.is_resumed:
            self._connection = connection
            self._flush()
        else:
            self._go_on(connection)

    def _go_on(self, connection: ServerConnection) -> None:
        """Go on over a new stream."""
        self._connection = connection
        self._queue.take_back()
        management = connection.stream.management
        self._former = management if management is not None and management.is_resumable else None
        self._flush()

    def acknowledged(self, count: int) -> None:
        """The peer has the `count` oldest written stanzas."""
        if count:
            self._on_progress()
            followed = self._queue.acknowledged(count)
            for stanza in followed:
                if self._is_foreign or stanza.kind == "iq":  # which cannot carry its trace id to a server of ours
                    self._ports.foreign.acknowledged(stanza)

    def lost(self, connection: ServerConnection, reason: str) -> None:
        """The open stream is over."""
        self._connection, self._is_writable = None, True
        self._log.info("stream to {to} ended: {reason}", to=self._pair.to, reason=reason)
        self._over(reason, connection.stream.failure)

    def _over(self, reason: str, failure: StanzaError | None) -> None:
        """Connect again after a pause; if the peer refused the pair for good, bounce all stanzas."""
        self._drop_former()
        if failure is not None:
            self._log.warn("no stream to {to}: {reason}", to=self._pair.to, reason=reason)
            self._refuse_all(failure)
        else:
            self._failed(reason)

    def _drop_former(self) -> None:
        """Queue again what was written over the former stream if that was given up meanwhile."""
        if self._former is not None and not self._former.is_resumable:
            self._former = None
            self._queue.take_back()

    def pause(self) -> None:
        """The peer does not read what it has been sent."""
        self._is_writable = False

    def resume(self) -> None:
        """The peer reads again."""
        self._is_writable = True
        self._flush()

    # --- the deadline, and what cannot be carried

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
        if self._connection is not None:  # its keep-alive finds a dead peer
            self._stop_waiting()
            return
        text = f"{self._pair.to} cannot be reached: {self._reason or 'it does not answer'}"
        self._refuse_all(StanzaError(Condition.REMOTE_SERVER_TIMEOUT, text, reason=reasons.NO_STREAM))

    def _stop_waiting(self) -> None:
        """Settle all batches of a peer that is alive and may have the stanzas; unacknowledged ones are kept."""
        if not self._is_stuck:
            self._log.warn(
                "{to} acknowledges nothing; {count} stanzas are kept", to=self._pair.to, count=self._queue.count
            )
        self._is_stuck = True
        self._queue.settle_unacknowledged()

    def _on_progress(self) -> None:
        """A stanza reached the peer. An open stream is no progress: the peer may end each because of what is sent."""
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
        """Bounce all stanzas, also those that were written: without an acknowledgement their fate is unknown."""
        self._cancel_deadline()
        self._is_stuck = False
        if self._former is not None:  # a connection may be about to resume it
            self._former.give_up()
            self._former = None
        for stanza in self._queue.take_all():
            self._bounce(stanza, error)


def _is_awaited(stanza: Stanza) -> bool:
    """Whether the stanza settles only when the peer has acknowledged it: messages only.

    Two servers that handle each other's presence would wait for each other's acknowledgements, which come in order.
    All other stanzas are made by servers, or repeated by those that need them.
    """
    return stanza.kind == "message" and stanza.type != "error"
