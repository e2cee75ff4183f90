"""The sending end of one link: batches of stanzas become entries of a Redis stream, and are announced to its reader."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from hiredis import ReplyError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base import reasons
from cluster.base.reasons import Reason
from cluster.base.settled import Settled, all_of
from cluster.base.storage import log_failed
from cluster.router.batch import MAX_BATCH_BYTES, Batch
from cluster.router.entry_id import EntryId
from cluster.router.fence import Marks
from cluster.router.link_script import WRITE, WRITE_AGAIN
from cluster.router.port import QUEUE, STANZA_BYTES, no_link
from cluster.xmpp.copies import Copies, each_of
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza

if TYPE_CHECKING:
    from cluster.router.outbound import Outbound

MAX_WAITING_BYTES = 64 << 20
"""Of all links of a domain, in its memory while Redis is away or slow; beyond it stanzas are refused.

Long before that, the server stops reading from the clients that send (streams/backpressure.py).
"""
MAX_BACKLOG_BYTES = 256 << 20
"""Of one link in Redis, however few its entries."""
REMEMBERED_BYTES = 1 << 16
"""Bytes of the newest entries in Redis that are kept, and written again over the next connection if it has lost them.

Redis replies before it notices that its disk is full, and a master replies before its replica has the entry; if it is
killed then, the last entries are lost. In one turn it reads some 16 KiB from a connection.
"""
_encode = msgspec.msgpack.Encoder().encode


class OutboundLink:
    """A `Link` to one domain.

    Batches wait in `_waiting` until the link is open, and in `_unanswered` until Redis has them. The link is open while
    it has room: a number of further entries and bytes, after which it must check again how much the reader has left.
    """

    _log = Logger()

    def __init__(self, to: str, outbound: Outbound) -> None:
        self._to = to
        self._outbound = outbound
        self._client = outbound.client
        self._key = outbound.keys.link(to, outbound.domain)
        self._doorbell = outbound.keys.doorbell(to)
        self._waiting: deque[Batch] = deque()
        self._unanswered: deque[Batch] = deque()
        self._answered: deque[Batch] = deque()
        self._answered_bytes = 0
        self._room = self._room_bytes = 0
        self._full_at = 0  # entries, when they had too many bytes
        self._looking_up = False
        self._is_lost = self._is_refused = self._is_served = False
        self._followed = -1  # of the nodes that are gone: their number when this link was opened
        self._last_id = EntryId(0, 0)

    @property
    def is_busy(self) -> bool:
        """Whether something is not yet in Redis."""
        return bool(self._waiting or self._unanswered)

    @property
    def _is_open(self) -> bool:
        return self._room > 0 and self._room_bytes > 0

    def send(self, item: Stanza | Copies) -> Settled:
        """Carry it; see `Link`."""
        if isinstance(item, Copies):
            return self._send_copies(item)
        batch = self._batch(len(item.raw) + STANZA_BYTES)
        if batch is None:
            self._outbound.bounce(item, _away())
            return None
        batch.items.append(item)
        return batch.settled

    def _send_copies(self, copies: Copies) -> Settled:
        """Carry one for many, in as many batches as its copies take."""
        size_bytes = len(copies.stanza.raw) + STANZA_BYTES
        settled: list[Settled] = []
        left = copies.receivers
        while left:
            batch = self._batch(size_bytes)
            if batch is None:
                for copy in Copies(copies.stanza, left).each():
                    self._outbound.bounce(copy, _away())
                break
            more = max(0, min(len(left) - 1, (MAX_BATCH_BYTES - batch.size_bytes) // size_bytes))
            batch.size_bytes += more * size_bytes
            self._outbound.waiting_bytes += more * size_bytes
            batch.items.append(Copies(copies.stanza, left[: 1 + more]))
            settled.append(batch.settled)
            left = left[1 + more :]
        return all_of(settled)

    def _batch(self, size_bytes: int) -> Batch | None:
        """The batch for so much more, which counts it; None where too much waits."""
        outbound, waiting = self._outbound, self._waiting
        waiting_bytes = outbound.waiting_bytes + size_bytes
        if waiting_bytes > MAX_WAITING_BYTES:
            return None
        outbound.waiting_bytes = waiting_bytes
        if not waiting:
            outbound.flush_later(self)
        if not waiting or (batch := waiting[-1]).size_bytes + size_bytes > MAX_BATCH_BYTES:
            batch = Batch()
            waiting.append(batch)
        batch.size_bytes += size_bytes
        return batch

    def close(self) -> None:
        """Check the backlog again before more is written."""
        self._room = 0

    def flush(self) -> None:
        """Write the waiting batches, as far as allowed."""
        if not self._waiting or not self._client.is_connected(self._key):
            return
        if self._is_open:
            while self._waiting and self._is_open:
                self._write_first()
        if self._waiting and not self._looking_up:
            self._looking_up = True
            look_up = Deferred.fromCoroutine(self._look_up())
            look_up.addErrback(partial(log_failed, self._log, f"Opening the link to {self._to}"))

    def resume(self) -> None:
        """There is a new connection: repeat what may be lost and what has no reply, in order, then continue."""
        for batch in self._answered:
            self._client.post("EVAL", WRITE_AGAIN, *self._arguments(batch))
        if self._is_lost and self._client.is_connected(self._key):  # otherwise the connection is to another master
            self._is_lost = False
            self._room = 0
            self._client.post("SADD", self._outbound.keys.peers(self._to), self._outbound.domain)
            for batch in [*self._unanswered]:
                self._write(batch)
        self.flush()

    def _write_first(self) -> None:
        batch = self._waiting.popleft()
        batch.entry = self._outbound.encode(batch.items)
        self._room -= 1
        self._room_bytes -= len(batch.entry)
        self._write_next(batch)
        for item in batch.items:
            if item.trace_id:  # recorded before the other side can see it
                for stanza in each_of(item):
                    self._outbound.tracer.record("enqueued", stanza, f"to {self._to}", node=QUEUE)

    def _write_next(self, batch: Batch) -> None:
        id = self._next_id()
        batch.ids = (str(self._last_id), str(id))
        self._last_id = id
        self._unanswered.append(batch)
        self._write(batch)

    def _write(self, batch: Batch) -> None:
        batch.settled.is_sent = self._client.keeps_order
        script = WRITE_AGAIN if batch.resent else WRITE
        added = self._client.execute("EVAL", script, *self._arguments(batch))
        added.addCallbacks(self._on_added, self._on_failed, callbackArgs=(batch,), errbackArgs=(batch,))

    def _arguments(self, batch: Batch) -> tuple[str | bytes | int, ...]:
        return (1, self._key, *batch.ids, batch.entry, self._doorbell, self._outbound.domain)

    def _next_id(self) -> EntryId:
        """Ids are ours and increase, so that it is known whether Redis has an entry already."""
        last, now_ms = self._last_id, int(self._outbound.reactor.seconds() * 1000)
        return EntryId(now_ms, 0) if now_ms > last.ms else EntryId(last.ms, last.number + 1)

    def _on_added(self, reply: object, batch: Batch) -> None:
        self._is_refused = False
        self._unanswered.popleft()  # replies come in the order of the entries
        self._settle(batch)
        batch.items = []
        self._answered.append(batch)
        self._answered_bytes += len(batch.entry)
        while self._answered_bytes > REMEMBERED_BYTES and len(self._answered) > 1:
            self._answered_bytes -= len(self._answered.popleft().entry)

    def _on_failed(self, failure: Failure, batch: Batch) -> None:
        if isinstance(failure.value, ConnectionLost):
            batch.resent = self._is_lost = True
            batch.settled.is_sent = False
            return
        self._unanswered.popleft()
        if not self._is_refused:  # the first of many
            self._is_refused = True
            self._log.error("Redis refused a batch to {to}: {error}", to=self._to, error=str(failure.value))
        if batch.is_marks:
            self._followed = -1
        self._refuse([batch], _refused())

    async def _look_up(self) -> None:
        """Open the link, or refuse all that waits. Without a connection it does nothing: see `resume`."""
        keys, domain = self._outbound.keys, self._outbound.domain
        try:
            missing = await self._missing()
            if missing:
                if not self._unanswered:
                    self._outbound.forget(self._to)
                self._refuse_waiting(missing)
                return
            length = await self._read_length()
            room = self._outbound.max_backlog - length
            room_bytes = MAX_BACKLOG_BYTES - await self._read_bytes(length)
            if room <= 0 or room_bytes <= 0:
                self._refuse_waiting(_timeout(f"{length} batches wait for {self._to}", reasons.LINK_FULL))
                return
            self._client.post("SADD", keys.peers(self._to), domain)
            if await self._follow():
                self._room, self._room_bytes = room, room_bytes
        except ConnectionLost:
            return
        except ReplyError as error:
            self._log.error("Redis refused the link to {to}: {error}", to=self._to, error=str(error))
            self._refuse_waiting(_refused())
        finally:
            self._looking_up = False
        if self._waiting:
            self._outbound.flush_later(self)  # if it may be, for this process may have hung meanwhile

    async def _follow(self) -> bool:
        """Write a fence after which all entries of the domain's other nodes go, if that is not done yet; see `fence`.
        False if Redis refuses it, or another node went meanwhile."""
        gone = self._outbound.gone
        if self._followed == gone:
            return True
        marks: Marks = {}
        for other in sorted(await self._outbound.others()):
            stream = await self._stream(self._outbound.keys.link(self._to, other))
            if stream and stream[b"length"]:
                marks[other] = stream[b"last-generated-id"].decode()
        self._followed = gone
        if marks:
            batch = Batch()
            batch.is_marks, batch.entry = True, _encode(marks)
            self._write_next(batch)
            await batch.settled
            if self._followed != gone:
                self._refuse_waiting(_refused())
        return self._followed == self._outbound.gone

    async def _exists(self) -> bool:
        """Whether the end exists; the earlier answer counts while the master of a cluster that knows it is away."""
        try:
            served = await self._client.execute("SISMEMBER", self._outbound.keys.domains, self._to)
        except ConnectionLost:
            if not self._is_served:
                raise
        else:
            self._is_served = bool(served)
        return self._is_served

    async def _missing(self) -> StanzaError | None:
        """Why the link is not allowed; None if it is."""
        if not await self._exists():
            text, reason = f"nobody serves {self._to} here", reasons.NO_DOMAIN
        elif not self._outbound.leads_to(self._to):
            text, reason = no_link(self._outbound.domain.partition("/")[0], self._to), reasons.NO_LINK
        else:
            return None
        return StanzaError(Condition.REMOTE_SERVER_NOT_FOUND, text, reason=reason)

    async def _read_length(self) -> int:
        """Read the number of waiting entries; also makes sure that the next ids are above those of an earlier
        process."""
        stream = await self._stream(self._key)
        if not stream:
            return 0
        self._last_id = max(self._last_id, EntryId.parse(stream[b"last-generated-id"]))
        return int(stream[b"length"])

    async def _stream(self, key: str) -> dict[bytes, Any]:
        """What Redis says of a stream; empty if it does not exist."""
        try:
            stream: dict[bytes, Any] = await self._client.execute("XINFO", "STREAM", key)
        except ReplyError as error:
            if "no such key" in str(error):
                return {}
            raise
        return stream

    async def _read_bytes(self, length: int) -> int:
        """The maximum bytes of this number of entries. Redis has to look at all of them, so it is asked only if
        necessary."""
        if length * MAX_BATCH_BYTES < MAX_BACKLOG_BYTES:
            return length * MAX_BATCH_BYTES
        if self._full_at and length > 0.9 * self._full_at:
            return MAX_BACKLOG_BYTES
        used = int(await self._client.execute("MEMORY", "USAGE", self._key, "SAMPLES", 0) or 0)
        self._full_at = length if used >= MAX_BACKLOG_BYTES else 0
        return used

    def _refuse_waiting(self, error: StanzaError) -> None:
        waiting, self._waiting = self._waiting, deque()
        self._refuse([*waiting], error)

    def _refuse(self, batches: list[Batch], error: StanzaError) -> None:
        for batch in batches:
            for item in batch.items:
                for stanza in each_of(item):
                    self._outbound.bounce(stanza, error)
            self._settle(batch)

    def _settle(self, batch: Batch) -> None:
        self._outbound.waiting_bytes -= batch.size_bytes
        batch.settled.callback(None)


def _timeout(text: str, reason: Reason) -> StanzaError:
    return StanzaError(Condition.REMOTE_SERVER_TIMEOUT, text, reason=reason)


def _away() -> StanzaError:
    return _timeout("the router is away or slow", reasons.ROUTER_AWAY)


def _refused() -> StanzaError:
    return _timeout("the router refused it", reasons.ROUTER_REFUSES)
