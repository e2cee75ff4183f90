"""The receiving end of the links: entries of Redis streams become stanzas."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.redisio.client import RedisClient
from cluster.redisio.keys import LinkKeys
from cluster.redisio.protocol import Reply
from cluster.redisio.turn import Stage, Turn
from cluster.router.reader import OpenGate
from cluster.router.share import Share

READ_COUNT = 64
"""Entries of one read."""
ACKNOWLEDGE_AFTER_S = 0.01
"""Gathers acknowledgements, which nobody waits for. What settled in so short a time may come again after a crash."""

CONSUMER = "reader"
"""Of each link there is one reader at a time, and whoever it is goes on where the last one stopped."""


class Inbound:
    """All links into one end: a domain, or a node of it.

    It blocks on none of them, which would cost Redis time for each: senders ring the one bell of the end, and only
    the links that rang are read. After each new connection all are.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, turn: Turn, client: RedisClient, keys: LinkKeys, to: str, share: Share,
        decode: Callable[[bytes], Any],
    ) -> None:  # fmt: skip
        """`decode` makes the list of items of what a sender's `Outbound` wrote as one entry."""
        self.client = client
        self.keys = keys
        self.to = to
        self.decode = decode
        self.is_stopped = False
        self._reactor = reactor
        self.turn = turn
        self._share = share
        self._open_gate: OpenGate | None = None
        self._links: dict[str, InboundLink] = {}
        self._opening: set[str] = set()
        self._to_acknowledge: list[InboundLink] = []

    async def start(self, open_gate: OpenGate) -> None:
        """Read, over this and each later connection; first what an earlier reader did not acknowledge."""
        self._open_gate = open_gate
        await self.client.subscribe(self.keys.bell(self.to), self._on_bell)
        self.client.when_connected(self._resume)

    async def stop(self) -> None:
        """Read no more, and return when Redis knows what has settled."""
        self.is_stopped = True
        self.turn.run()
        self._acknowledge()
        for from_ in self._links:
            self._share.give_back(from_)
        try:
            await self.client.execute("PING")  # replied to after all that was written before
        except ConnectionLost:
            self._log.warn("Stopped without Redis: what was delivered last may be delivered again")

    def share_changed(self) -> None:
        """Let go of the links that others are to read now, and take those that are ours.

        The others are read from their pending entries on: who was expelled may have been given some before it knew.
        """
        for link in [*self._links.values()]:
            if self._share.is_ours(link.from_):
                link.resume()
            else:
                link.let_go()
        self._look_for_links()

    def acknowledge_later(self, link: InboundLink) -> None:
        """Have the link's settled entries acknowledged soon."""
        if not self._to_acknowledge:
            self._reactor.callLater(ACKNOWLEDGE_AFTER_S, self.turn.add, self._acknowledge, Stage.ACKNOWLEDGE)
        self._to_acknowledge.append(link)

    def forget(self, link: InboundLink) -> None:
        """It was let go, and all of it has settled."""
        if self._links.pop(link.from_, None) is not None:
            self.turn.add(partial(self._give_back, link), Stage.ACKNOWLEDGE)

    def _give_back(self, link: InboundLink) -> None:
        link.acknowledge()
        self._share.give_back(link.from_)

    def _acknowledge(self) -> None:
        links, self._to_acknowledge = self._to_acknowledge, []
        for link in links:
            link.acknowledge()

    def _on_bell(self, message: bytes) -> None:
        from_ = message.decode(errors="replace")
        link = self._links.get(from_)
        if self.is_stopped:
            return
        if link is not None:
            link.ring()
        else:
            self._open(from_)

    def _open(self, from_: str) -> None:
        if from_ not in self._opening and self._share.is_ours(from_):
            self._opening.add(from_)
            Deferred.fromCoroutine(self._take(from_)).addErrback(self._on_failed)

    async def _take(self, from_: str) -> None:
        try:
            taken = await self._exists(from_) and await self._share.take(from_)
        finally:
            self._opening.discard(from_)
        if taken and not self.is_stopped and from_ not in self._links:
            assert self._open_gate is not None  # nothing arrives before the start
            link = self._links[from_] = InboundLink(from_, self._open_gate, self)
            link.resume()

    async def _exists(self, from_: str) -> bool:
        """There is such an end: anybody can ring with any name."""
        for names, name in self.keys.proofs(from_):
            if not await self.client.execute("SISMEMBER", names, name):
                return False
        return True

    def _resume(self) -> None:
        if not self.is_stopped:
            for link in self._links.values():
                link.resume()  # at once, before a bell can ring: what was read before comes before what is new
            self._look_for_links()

    def _look_for_links(self) -> None:
        peers = self.client.execute("SMEMBERS", self.keys.peers(self.to))
        peers.addCallbacks(self._on_peers, self._on_failed)

    def _on_peers(self, peers: set[bytes]) -> None:
        for from_ in {peer.decode(errors="replace") for peer in peers} - self._links.keys():
            self._open(from_)

    def _on_failed(self, failure: Failure) -> None:
        if not isinstance(failure.value, ConnectionLost):
            self._log.failure("Looking for the links into {to}", failure, to=self.to)


class InboundLink:
    """One link into the domain, read in turns: never two reads at once, and acknowledged when it has settled.

    An entry is `_taken` until Redis has confirmed that it is gone, so that nothing is delivered twice when the
    entries of this consumer are read again after a lost connection.
    """

    _log = Logger()

    def __init__(self, from_: str, open_gate: OpenGate, inbound: Inbound) -> None:
        self.from_ = from_
        self._gate = open_gate(from_, self.read_on)
        self._inbound = inbound
        self._client = inbound.client
        self._group = inbound.to
        self._key = inbound.keys.link(inbound.to, from_)
        self._cursor = b"0"  # what to read: ">" is new entries, an id the pending ones above it
        self._is_let_go = False
        self._is_reading = False
        self._may_have_more = False
        self._taken: set[bytes] = set()
        self._settled: list[bytes] = []
        self._unsettled = 0

    def ring(self) -> None:
        """There is something new."""
        self._may_have_more = True
        self.read_on()

    def resume(self) -> None:
        """Read again what a reader was given and did not acknowledge, then what is new."""
        self._inbound.turn.add(self.acknowledge, Stage.ACKNOWLEDGE)
        created = self._client.execute("XGROUP", "CREATE", self._key, self._group, "0", "MKSTREAM")
        created.addErrback(self._on_not_created)
        self._cursor = b"0"
        self._may_have_more = True
        self.read_on()

    def let_go(self) -> None:
        """Read no more; somebody else does when all has settled that was read."""
        self._is_let_go = True
        self._gate.let_go()
        self._forget_if_settled()

    def _forget_if_settled(self) -> None:
        if self._is_let_go and not self._is_reading and not self._unsettled:
            self._inbound.forget(self)

    def acknowledge(self) -> None:
        """Tell Redis what has settled."""
        ids, self._settled = self._settled, []
        if ids:
            self._client.post("XDEL", self._key, *ids)  # first, for what is only acknowledged would stay for ever
            done = self._client.execute("XACK", self._key, self._group, *ids)
            done.addCallbacks(self._on_gone, self._on_not_gone, callbackArgs=(ids,), errbackArgs=(ids,))

    def read_on(self) -> None:
        """Read what may be there, if so much may be under way."""
        if not self._may_have_more or self._is_reading or self._is_let_go or self._inbound.is_stopped:
            return
        if not self._gate.may_read(self._unsettled):
            return
        self._is_reading = True
        self._may_have_more = False
        who = ("GROUP", self._group, CONSUMER)
        read = self._client.execute("XREADGROUP", *who, "COUNT", READ_COUNT, "STREAMS", self._key, self._cursor)
        read.addCallbacks(self._on_entries, self._on_not_read, callbackArgs=(self._cursor,))

    def _on_entries(self, reply: Reply, cursor: bytes) -> None:
        self._is_reading = False
        if self._inbound.is_stopped:
            return  # what was given stays pending
        entries = next(iter(reply.values())) if reply else []
        for id, fields in entries:
            if id not in self._taken:
                self._take(id, fields)
        if cursor != self._cursor:
            pass  # told to read again in the meantime
        elif cursor != b">":
            self._cursor = entries[-1][0] if entries else b">"
            self._may_have_more = True
        elif len(entries) == READ_COUNT:
            self._may_have_more = True
        self.read_on()
        self._forget_if_settled()

    def _take(self, id: bytes, fields: list[bytes] | None) -> None:
        self._taken.add(id)
        try:
            items = self._inbound.decode(fields[1]) if fields else []  # no fields: deleted and not yet acknowledged
        except (msgspec.DecodeError, IndexError) as error:
            self._log.error("Dropped an entry from {from_}: {error}", from_=self.from_, error=str(error))
            items = []
        settled = self._gate.take(id.decode(), items)
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
        self.read_on()
        self._forget_if_settled()

    def _on_not_settled(self, failure: Failure, id: bytes) -> None:
        self._unsettled -= 1
        self._taken.discard(id)  # the storage is away: the entry is read again with the next connection
        self._forget_if_settled()

    def _on_gone(self, reply: object, ids: list[bytes]) -> None:
        self._taken.difference_update(ids)

    def _on_not_gone(self, failure: Failure, ids: list[bytes]) -> None:
        self._settled = ids + self._settled  # for the next connection
        if not isinstance(failure.value, ConnectionLost):
            self._log.failure("Acknowledging entries from {from_}", failure, from_=self.from_)

    def _on_not_read(self, failure: Failure) -> None:
        self._is_reading = False
        self._forget_if_settled()
        if not isinstance(failure.value, ConnectionLost):
            self._log.failure("Reading what came from {from_}", failure, from_=self.from_)

    def _on_not_created(self, failure: Failure) -> None:
        error = failure.value
        if not (isinstance(error, ConnectionLost) or "BUSYGROUP" in str(error)):
            self._log.failure("Opening the link from {from_}", failure, from_=self.from_)
