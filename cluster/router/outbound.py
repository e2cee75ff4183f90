"""The sending end of the links: batches of stanzas become entries of a Redis stream."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec
from hiredis import ReplyError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.redisio.client import RedisClient
from cluster.redisio.keys import LinkKeys
from cluster.redisio.turn import Stage, Turn
from cluster.redisio.written import Written
from cluster.router.gate import NODE
from cluster.router.port import STANZA_BYTES, Bounce, HopRecorder, Settled
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza

MAX_BATCH_BYTES = 1 << 19
"""Keeps one entry within what a reader wants to take at once: it holds many (READ_COUNT, MAX_UNSETTLED). It counts
STANZA_BYTES for each stanza beside its own bytes."""
MAX_WAITING_BYTES = 64 << 20
"""What all links of a domain may hold in its memory while Redis is away or slow; beyond it stanzas are refused. Long
before, the clients that send are not read on (server/backpressure.py)."""
MAX_BACKLOG_BYTES = 256 << 20
"""What one link may hold in Redis, however few entries that are."""
FIELD = "b"
"""The one field of an entry: its batch."""

_encode = msgspec.msgpack.Encoder().encode


class Batch:
    """Stanzas that cross as one entry and settle together."""

    __slots__ = ("entry", "id", "resent", "settled", "size_bytes", "stanzas")

    def __init__(self) -> None:
        self.stanzas: list[Stanza] = []
        self.size_bytes = 0
        self.settled = Written()
        self.settled.is_under_way = False
        self.id = ""
        self.entry = b""
        self.resent = False

    def has_room(self, size_bytes: int) -> bool:
        """True where a stanza of this size fits in."""
        return self.size_bytes + size_bytes <= MAX_BATCH_BYTES


class Outbound:
    """All links out of one domain; what they send in one reactor turn is written at its end."""

    _log = Logger()

    def __init__(
        self, reactor: Any, turn: Turn, client: RedisClient, keys: LinkKeys, domain: str, tracer: HopRecorder,
        max_backlog: int,
    ) -> None:  # fmt: skip
        self.reactor = reactor
        self._turn = turn
        self.client = client
        self.keys = keys
        self.domain = domain
        self.tracer = tracer
        self.max_backlog = max_backlog
        self.bounce: Bounce = _not_started
        self.waiting_bytes = 0
        """Of what is not yet in Redis."""
        self._links: dict[str, OutboundLink] = {}
        self._to_flush: list[OutboundLink] = []

    def link(self, to: str) -> OutboundLink:
        """The one link to this domain."""
        link = self._links.get(to)
        if link is None:
            link = self._links[to] = OutboundLink(to, self)
        return link

    def forget(self, to: str) -> None:
        """Nobody serves this domain: strangers' names must not pile up."""
        self._links.pop(to, None)

    def start(self, bounce: Bounce) -> None:
        """Carry what is sent, over this and each later connection."""
        self.bounce = bounce
        self.client.when_connected(self._resume)

    async def drain(self) -> None:
        """Return when everything is written and replied to, or when Redis is away."""
        self._turn.run()
        try:
            while any(link.is_busy for link in self._links.values()):
                await self.client.execute("PING")  # replied to after all that was written before
        except ConnectionLost:
            self._log.error("Stopped without Redis: stanzas to other domains are lost")

    def flush_later(self, link: OutboundLink) -> None:
        """Have the link flushed at the end of this turn."""
        if not self._to_flush:
            self._turn.add(self._flush, Stage.LINKS)
        self._to_flush.append(link)

    def _flush(self) -> None:
        links, self._to_flush = self._to_flush, []
        for link in links:
            link.flush()

    def _resume(self) -> None:
        for link in [*self._links.values()]:
            link.resume()


class OutboundLink:
    """A `Link` to one domain.

    Batches wait in `_waiting` until the link is open, and in `_unanswered` until Redis has them. The link is open
    while it has room: so many more entries and bytes fit in before it must look again how much the reader has left.
    """

    _log = Logger()

    def __init__(self, to: str, outbound: Outbound) -> None:
        self._to = to
        self._outbound = outbound
        self._client = outbound.client
        self._key = outbound.keys.link(to, outbound.domain)
        self._bell = outbound.keys.bell(to)
        self._waiting: deque[Batch] = deque()
        self._unanswered: deque[Batch] = deque()
        self._room = self._room_bytes = 0
        self._full_at = 0  # entries, when there were too many bytes in them
        self._looking_up = False
        self._last_id = (0, 0)

    @property
    def is_busy(self) -> bool:
        """True while something is not yet in Redis."""
        return bool(self._waiting or self._unanswered)

    @property
    def _is_open(self) -> bool:
        return self._room > 0 and self._room_bytes > 0

    def send(self, stanza: Stanza) -> Settled:
        """Carry the stanza; see `Link`."""
        size_bytes = len(stanza.raw) + STANZA_BYTES
        if self._outbound.waiting_bytes + size_bytes > MAX_WAITING_BYTES:
            self._outbound.bounce(stanza, StanzaError(Condition.REMOTE_SERVER_TIMEOUT, "the router is away or slow"))
            return None
        self._outbound.waiting_bytes += size_bytes
        waiting = self._waiting
        if not waiting:
            self._outbound.flush_later(self)
        if not waiting or not waiting[-1].has_room(size_bytes):
            waiting.append(Batch())
        batch = waiting[-1]
        batch.stanzas.append(stanza)
        batch.size_bytes += size_bytes
        return batch.settled

    def flush(self) -> None:
        """Write what waits, as far as it may go."""
        if not self._waiting or not self._client.connected:
            return
        if self._is_open:
            while self._waiting and self._is_open:
                self._write_first()
            self._client.post("PUBLISH", self._bell, self._outbound.domain)
        if self._waiting and not self._looking_up:
            self._looking_up = True
            look_up = Deferred.fromCoroutine(self._look_up())
            look_up.addErrback(lambda failure: self._log.failure("Opening the link to {to}", failure, to=self._to))

    def resume(self) -> None:
        """There is a new connection: repeat what was not answered, in order, then go on."""
        if self._unanswered:
            self._client.post("SADD", self._outbound.keys.peers(self._to), self._outbound.domain)
            for batch in self._unanswered:
                self._write(batch)
            self._client.post("PUBLISH", self._bell, self._outbound.domain)
        self._room = 0
        self.flush()

    def _write_first(self) -> None:
        batch = self._waiting.popleft()
        batch.id = self._next_id()
        batch.entry = _encode(batch.stanzas)
        self._room -= 1
        self._room_bytes -= len(batch.entry)
        self._unanswered.append(batch)
        self._write(batch)
        for stanza in batch.stanzas:
            if stanza.trace_id:  # recorded before the other side can see it
                self._outbound.tracer.record("enqueued", stanza, f"to {self._to}", node=NODE)

    def _write(self, batch: Batch) -> None:
        batch.settled.is_under_way = self._client.keeps_order
        added = self._client.execute("XADD", self._key, batch.id, FIELD, batch.entry)
        added.addCallbacks(self._on_added, self._on_failed, callbackArgs=(batch,), errbackArgs=(batch,))

    def _next_id(self) -> str:
        """Ids are ours and rise, so that Redis refuses an entry that it has already."""
        last_ms, last_number = self._last_id
        now_ms = int(self._outbound.reactor.seconds() * 1000)
        self._last_id = (now_ms, 0) if now_ms > last_ms else (last_ms, last_number + 1)
        return f"{self._last_id[0]}-{self._last_id[1]}"

    def _on_added(self, reply: object, batch: Batch) -> None:
        self._unanswered.popleft()  # replies come in the order of the entries
        self._settle(batch)

    def _on_failed(self, failure: Failure, batch: Batch) -> None:
        if isinstance(failure.value, ConnectionLost):
            batch.resent = True
            batch.settled.is_under_way = False
            return
        self._unanswered.popleft()
        if batch.resent and "equal or smaller" in str(failure.value):
            self._settle(batch)  # Redis has it, only the first reply was lost
        else:
            self._log.error("Redis refused a batch to {to}: {error}", to=self._to, error=str(failure.value))
            self._refuse([batch], StanzaError(Condition.REMOTE_SERVER_TIMEOUT, "the router refused it"))

    async def _look_up(self) -> None:
        """Open the link, or refuse all that waits. Without a connection nothing happens: see `resume`."""
        keys, domain = self._outbound.keys, self._outbound.domain
        try:
            if not await self._client.execute("SISMEMBER", keys.domains, self._to):
                if not self._unanswered:
                    self._outbound.forget(self._to)
                self._refuse_waiting(Condition.REMOTE_SERVER_NOT_FOUND, f"nobody serves {self._to} here")
                return
            length = await self._read_length()
            self._room = self._outbound.max_backlog - length
            self._room_bytes = MAX_BACKLOG_BYTES - await self._read_bytes(length)
            if not self._is_open:
                self._refuse_waiting(Condition.REMOTE_SERVER_TIMEOUT, f"{length} batches wait for {self._to}")
            else:
                self._client.post("SADD", keys.peers(self._to), domain)
        except ConnectionLost:
            return
        except ReplyError as error:
            self._log.error("Redis refused the link to {to}: {error}", to=self._to, error=str(error))
            self._refuse_waiting(Condition.REMOTE_SERVER_TIMEOUT, "the router refused it")
        finally:
            self._looking_up = False
        self.flush()

    async def _read_length(self) -> int:
        """How many entries wait; also sees to it that the next ids are above those of an earlier process."""
        try:
            stream = await self._client.execute("XINFO", "STREAM", self._key)
        except ReplyError as error:
            if "no such key" in str(error):
                return 0
            raise
        milliseconds, number = map(int, stream[b"last-generated-id"].split(b"-"))
        self._last_id = max(self._last_id, (milliseconds, number))
        return int(stream[b"length"])

    async def _read_bytes(self, length: int) -> int:
        """How many bytes so many entries take at most. Redis looks at them all: it is asked only where it matters."""
        if length * MAX_BATCH_BYTES < MAX_BACKLOG_BYTES:
            return length * MAX_BATCH_BYTES
        if self._full_at and length > 0.9 * self._full_at:
            return MAX_BACKLOG_BYTES
        used = int(await self._client.execute("MEMORY", "USAGE", self._key, "SAMPLES", 0) or 0)
        self._full_at = length if used >= MAX_BACKLOG_BYTES else 0
        return used

    def _refuse_waiting(self, condition: Condition, text: str) -> None:
        waiting, self._waiting = self._waiting, deque()
        self._refuse([*waiting], StanzaError(condition, text))

    def _refuse(self, batches: list[Batch], error: StanzaError) -> None:
        for batch in batches:
            for stanza in batch.stanzas:
                self._outbound.bounce(stanza, error)
            self._settle(batch)

    def _settle(self, batch: Batch) -> None:
        self._outbound.waiting_bytes -= batch.size_bytes
        batch.settled.callback(None)


def _not_started(stanza: Stanza, error: StanzaError) -> None:
    raise AssertionError("a stanza was sent before the router was started")
