"""The links out of one domain: the stanzas of one reactor turn are written at its end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger

from cluster.base.clock import Clock
from cluster.base.turn import Stage, Turn
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import LinkKeys
from cluster.router.outbound_link import OutboundLink
from cluster.router.port import Bounce, HopRecorder
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.stanza import Stanza

_encode = msgspec.msgpack.Encoder().encode


class Outbound:
    """All links out of one domain; the stanzas of one reactor turn are written at its end."""

    _log = Logger()

    def __init__(
        self, reactor: Clock, turn: Turn, client: RedisClient, keys: LinkKeys, domain: str, tracer: HopRecorder,
        max_backlog: int, peers: Collection[str] | None = None,
        encode: Callable[[Any], bytes] = _encode,
    ) -> None:  # fmt: skip
        """`peers`: the only ends to which links lead from here; None: all ends. `encode` writes the items of an entry
        (`msgspec` as they are)."""
        self.encode = encode
        self.reactor = reactor
        self._turn = turn
        self.client = client
        self.keys = keys
        self.domain = domain
        self.tracer = tracer
        self.max_backlog = max_backlog
        self._peers = peers
        self.bounce: Bounce = _not_started
        self.waiting_bytes = 0
        """Bytes that are not yet in Redis."""
        self.gone = 0
        """The number of nodes of the domain that are known to have gone."""
        self._links: dict[str, OutboundLink] = {}
        self._to_flush: list[OutboundLink] = []

    def link(self, to: str) -> OutboundLink:
        """The one link to this domain."""
        link = self._links.get(to)
        if link is None:
            link = self._links[to] = OutboundLink(to, self)
        return link

    def forget(self, to: str) -> None:
        """Nobody serves this domain: names that strangers write to must not accumulate."""
        self._links.pop(to, None)

    def node_gone(self) -> None:
        """Another node of the domain is gone: its entries go before all that are written from now on."""
        self.gone += 1
        for link in self._links.values():
            link.close()

    async def others(self) -> set[str]:
        """The names of all nodes of the domain as ends, except these."""
        names, before = self.keys.kin(self.domain)
        nodes = {name.decode() for name in await self.client.execute("SMEMBERS", names)}
        if len(nodes) < 2:
            return set()
        return {self.domain.partition("/")[0], *(f"{before}{node}" for node in nodes)} - {self.domain}

    def leads_to(self, to: str) -> bool:
        """Whether a link from here to this end is allowed, if the end exists: that to the domain itself always is."""
        return self._peers is None or to in self._peers or to == self.domain.partition("/")[0]

    def start(self, bounce: Bounce) -> None:
        """Carry stanzas, over this and each later connection."""
        self.bounce = bounce
        self.client.when_connected(self._resume)

    async def drain(self) -> None:
        """Return when everything is written and has a reply, or when Redis is away."""
        self._turn.run()
        try:
            while any(link.is_busy for link in self._links.values()):
                await self.client.flush()
        except ConnectionLost:
            self._log.error("Stopped without Redis: stanzas to other domains are lost")

    def flush_later(self, link: OutboundLink) -> None:
        """Flush the link at the end of this turn."""
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


def _not_started(stanza: Stanza, error: StanzaError) -> None:
    raise AssertionError("a stanza was sent before the router was started")
