"""The receiving end of the links: entries of Redis streams become stanzas."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.protocol import Reply
from cluster.router.gate import Gate
from cluster.router.port import Deliver, HopRecorder
from cluster.xmpp.stanza import Stanza

READ_COUNT = 64
"""Entries of one read."""
MAX_UNSETTLED = 256
"""Entries that may wait for the domain before their link is read on."""
ACKNOWLEDGE_AFTER_S = 0.01
"""Gathers acknowledgements, which nobody waits for. What settled in so short a time may come again after a crash."""

_decode = msgspec.msgpack.Decoder(list[Stanza]).decode


class Inbound:
    """All links into one domain.

    It blocks on none of them, which would cost Redis time for each: senders ring the domain's one bell, and only
    the links that rang are read. After each new connection all are.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, client: RedisClient, keys: Keys, domain: str, consumer: str, tracer: HopRecorder
    ) -> None:
        self.client = client
        self.keys = keys
        self.domain = domain
        self.consumer = consumer
        self.is_stopped = False
        self._reactor = reactor
        self._tracer = tracer
        self._deliver: Deliver | None = None
        self._links: dict[str, InboundLink] = {}
        self._to_acknowledge: list[InboundLink] = []

    async def start(self, deliver: Deliver) -> None:
        """Read, over this and each later connection; first what an earlier process did not acknowledge."""
        self._deliver = deliver
        await self.client.subscribe(self.keys.bell(self.domain), self._on_bell)
        self.client.when_connected(self._resume)

    async def stop(self) -> None:
        """Read no more, and return when Redis knows what has settled."""
        self.is_stopped = True
        self._acknowledge()
        try:
            await self.client.execute("PING")  # replied to after all that was written before
        except ConnectionLost:
            self._log.warn("Stopped without Redis: what was delivered last may be delivered again")

    def acknowledge_later(self, link: InboundLink) -> None:
        """Have the link's settled entries acknowledged soon."""
        if not self._to_acknowledge:
            self._reactor.callLater(ACKNOWLEDGE_AFTER_S, self._acknowledge)
        self._to_acknowledge.append(link)

    def _acknowledge(self) -> None:
        links, self._to_acknowledge = self._to_acknowledge, []
        for link in links:
            link.acknowledge()

    def _on_bell(self, message: bytes) -> None:
        if not self.is_stopped:
            self._link(message.decode(errors="replace")).ring()

    def _link(self, from_: str) -> InboundLink:
        link = self._links.get(from_)
        if link is None:
            assert self._deliver is not None  # nothing arrives before the start
            gate = Gate(from_, self.domain, self._deliver, self._tracer)
            link = self._links[from_] = InboundLink(from_, gate, self)
        return link

    def _resume(self) -> None:
        if not self.is_stopped:
            for link in self._links.values():
                link.resume()  # at once, before its bell can ring: what was read before comes before what is new
            peers = self.client.execute("SMEMBERS", self.keys.peers(self.domain))
            peers.addCallbacks(self._on_peers, self._on_failed)

    def _on_peers(self, peers: set[bytes]) -> None:
        for from_ in {peer.decode(errors="replace") for peer in peers} - self._links.keys():
            self._link(from_).resume()

    def _on_failed(self, failure: Failure) -> None:
        if not isinstance(failure.value, ConnectionLost):
            self._log.failure("Looking for the links into {domain}", failure, domain=self.domain)


class InboundLink:
    """One link into the domain, read in turns: never two reads at once, and acknowledged when it has settled.

    An entry is `_taken` until Redis has confirmed that it is gone, so that nothing is delivered twice when the
    entries of this consumer are read again after a lost connection.
    """

    _log = Logger()

    def __init__(self, from_: str, gate: Gate, inbound: Inbound) -> None:
        self._from = from_
        self._gate = gate
        self._inbound = inbound
        self._client = inbound.client
        self._group = inbound.domain
        self._key = inbound.keys.link(inbound.domain, from_)
        self._cursor = b""  # what to read: ">" is new entries, an id the own pending ones above it; first: see ring
        self._is_reading = False
        self._may_have_more = False
        self._taken: set[bytes] = set()
        self._settled: list[bytes] = []
        self._unsettled = 0

    def ring(self) -> None:
        """There is something new."""
        if not self._cursor:
            self.resume()
        self._may_have_more = True
        self._read_on()

    def resume(self) -> None:
        """Read again what this consumer was given and did not acknowledge, then what is new."""
        self.acknowledge()
        created = self._client.execute("XGROUP", "CREATE", self._key, self._group, "0", "MKSTREAM")
        created.addErrback(self._on_not_created)
        self._cursor = b"0"
        self._may_have_more = True
        self._read_on()

    def acknowledge(self) -> None:
        """Tell Redis what has settled."""
        ids, self._settled = self._settled, []
        if ids:
            self._client.post("XDEL", self._key, *ids)  # first, for what is only acknowledged would stay for ever
            done = self._client.execute("XACK", self._key, self._group, *ids)
            done.addCallbacks(self._on_gone, self._on_not_gone, callbackArgs=(ids,), errbackArgs=(ids,))

    def _read_on(self) -> None:
        if not self._may_have_more or self._is_reading or self._inbound.is_stopped:
            return
        if self._unsettled >= MAX_UNSETTLED:
            return
        self._is_reading = True
        self._may_have_more = False
        who = ("GROUP", self._group, self._inbound.consumer)
        read = self._client.execute("XREADGROUP", *who, "COUNT", READ_COUNT, "STREAMS", self._key, self._cursor)
        read.addCallbacks(self._on_entries, self._on_not_read)

    def _on_entries(self, reply: Reply) -> None:
        self._is_reading = False
        if self._inbound.is_stopped:
            return  # what was given stays pending
        entries = next(iter(reply.values())) if reply else []
        for id, fields in entries:
            if id not in self._taken:
                self._take(id, fields)
        if self._cursor != b">":
            self._cursor = entries[-1][0] if entries else b">"
            self._may_have_more = True
        elif len(entries) == READ_COUNT:
            self._may_have_more = True
        self._read_on()

    def _take(self, id: bytes, fields: list[bytes] | None) -> None:
        self._taken.add(id)
        try:
            stanzas = _decode(fields[1]) if fields else []  # no fields: it was deleted and not yet acknowledged
        except (msgspec.DecodeError, IndexError) as error:
            self._log.error("Dropped an entry from {from_}: {error}", from_=self._from, error=str(error))
            stanzas = []
        settled = self._gate.take(id.decode(), stanzas)
        if settled is None:
            self._settle(id)
        else:
            self._unsettled += 1
            settled.addCallbacks(self._on_settled, self._on_not_settled, callbackArgs=(id,), errbackArgs=(id,))

    def _settle(self, id: bytes) -> None:
        if not self._settled:
            self._inbound.acknowledge_later(self)
        self._settled.append(id)

    def _on_settled(self, result: object, id: bytes) -> None:
        self._unsettled -= 1
        self._settle(id)
        self._read_on()

    def _on_not_settled(self, failure: Failure, id: bytes) -> None:
        self._unsettled -= 1
        self._taken.discard(id)  # the storage is away: the entry is read again with the next connection

    def _on_gone(self, reply: object, ids: list[bytes]) -> None:
        self._taken.difference_update(ids)

    def _on_not_gone(self, failure: Failure, ids: list[bytes]) -> None:
        self._settled = ids + self._settled  # for the next connection
        if not isinstance(failure.value, ConnectionLost):
            self._log.failure("Acknowledging entries from {from_}", failure, from_=self._from)

    def _on_not_read(self, failure: Failure) -> None:
        self._is_reading = False
        if not isinstance(failure.value, ConnectionLost):
            self._log.failure("Reading what came from {from_}", failure, from_=self._from)

    def _on_not_created(self, failure: Failure) -> None:
        error = failure.value
        if not (isinstance(error, ConnectionLost) or "BUSYGROUP" in str(error)):
            self._log.failure("Opening the link from {from_}", failure, from_=self._from)
