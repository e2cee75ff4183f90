"""The links into one end: a domain, or a node of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Clock
from cluster.base.storage import log_failed
from cluster.base.turn import Stage, Turn
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import LinkKeys
from cluster.router.assignment import LinkAssignment
from cluster.router.inbound_link import InboundLink
from cluster.router.reader import OpenSink


class Inbound:
    """All links into one end: a domain, or a node of it.

    There are no blocking reads, which would cost Redis time for each link. It listens on each link, on which every
    entry is announced; if nobody listens, the sender rings the one doorbell of the end. After each new connection all
    links are read, and after a time without announcements.
    """

    _log = Logger()

    def __init__(
        self, reactor: Clock, turn: Turn, client: RedisClient, keys: LinkKeys, to: str, share: LinkAssignment,
        decode: Callable[[bytes], Any], is_current: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        """`decode` returns the list of items in an entry of a sender's `Outbound`.

        `is_current`: all settings are known that affect an announced entry; otherwise it is read, after earlier
        commands to Redis.
        """
        self.client = client
        self.keys = keys
        self.to = to
        self.decode = decode
        self.is_stopped = False
        self.clock = reactor
        self.turn = turn
        self._share = share
        self.holds_lease: Callable[[], bool] = lambda: share.holds_lease() and is_current()
        self._open_sink: OpenSink | None = None
        self._links: dict[str, InboundLink] = {}
        self._opening: set[str] = set()
        self._to_acknowledge: list[InboundLink] = []

    async def start(self, open_sink: OpenSink) -> None:
        """Read, over this and each later connection; first the entries that an earlier reader did not acknowledge."""
        self._open_sink = open_sink
        doorbell = self.keys.doorbell(self.to)
        await self.client.subscribe(doorbell, self._on_doorbell, self._look_for_links)
        self.client.when_connected(self._resume, doorbell)
        self.client.when_connected(self._look_for_links)  # another master of a cluster may have the list of senders

    async def stop(self) -> None:
        """Read no more, and return when Redis has acknowledged what has settled."""
        self.is_stopped = True
        self.turn.run_all()
        self.client.unsubscribe(self.keys.doorbell(self.to))
        try:
            await self.client.flush()  # what is stored now may be acknowledged
            self.turn.run_all()
            for link in self._links.values():
                link.listen_no_more()
                self._share.give_back(link.from_)
            await self.client.flush()
        except ConnectionLost:
            self._log.warn("Stopped without Redis: what was delivered last may be delivered again")

    def share_changed(self) -> None:
        """Release the links that others are to read now, and take those of this node.

        Those are read from their pending entries on: a node that was fenced may have been given some before it knew.
        """
        for link in [*self._links.values()]:
            if self._share.is_ours(link.from_):
                link.resume()
            else:
                link.let_go()
        self._look_for_links()

    def acknowledge_later(self, link: InboundLink) -> None:
        """Acknowledge the link's settled entries soon. After a crash before that, they are read again."""
        if not self._to_acknowledge:
            self.turn.soon(self._acknowledge, Stage.ACKNOWLEDGE)
        self._to_acknowledge.append(link)

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Do it at the end of a turn, soon."""
        self.clock.callLater(delay_s, call)

    def forget(self, link: InboundLink) -> None:
        """It was released, and all of its entries have settled."""
        if self._links.pop(link.from_, None) is not None:
            self.turn.add(partial(self._when_kept, partial(self._give_back, link)), Stage.ACKNOWLEDGE)

    def _give_back(self, link: InboundLink) -> None:
        link.acknowledge(link.take_settled())
        link.listen_no_more()
        self._share.give_back(link.from_)

    def _acknowledge(self) -> None:
        links, self._to_acknowledge = self._to_acknowledge, []
        for link in links:
            self._when_kept(partial(link.acknowledge, link.take_settled()))

    def _when_kept(self, acknowledge: Callable[[], None]) -> None:
        kept = self.turn.kept()
        if kept is None:
            acknowledge()
        else:
            kept.addCallback(lambda _: self.turn.add(acknowledge, Stage.ACKNOWLEDGE))

    def _on_doorbell(self, message: bytes) -> None:
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
            taken = await self.exists(from_) and await self._share.take(from_)
        finally:
            self._opening.discard(from_)
        if taken and not self._share.is_ours(from_):  # any more
            self._share.give_back(from_)
        elif taken and not self.is_stopped and from_ not in self._links:
            assert self._open_sink is not None  # nothing arrives before the start
            link = self._links[from_] = InboundLink(from_, self._open_sink, self)
            link.listen()
            link.resume()

    async def exists(self, from_: str) -> bool:
        """Whether there is such an end: anybody can ring with any name."""
        for names, name in self.keys.proofs(from_):
            if not await self.client.execute("SISMEMBER", names, name):
                return False
        return True

    def _resume(self) -> None:
        if not self.is_stopped:
            for link in self._links.values():
                link.resume()  # at once, before a doorbell can ring: entries that were read before come before new ones

    def _look_for_links(self) -> None:
        if self.is_stopped:
            return
        peers = self.client.execute("SMEMBERS", self.keys.peers(self.to))
        peers.addCallbacks(self._on_peers, self._on_failed)

    def _on_peers(self, peers: set[bytes]) -> None:
        for from_ in sorted({peer.decode(errors="replace") for peer in peers} - self._links.keys()):
            self._open(from_)

    def _on_failed(self, failure: Failure) -> None:
        log_failed(self._log, f"Looking for the links into {self.to}", failure)
