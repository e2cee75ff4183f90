"""The router over Redis streams: one stream for each directed pair of domains."""

from __future__ import annotations

from typing import Any

from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.router.inbound import Inbound
from cluster.router.outbound import Outbound, OutboundLink
from cluster.router.port import Bounce, Deliver, HopRecorder


class RedisRouter:
    """A `Router` of one domain. At least once: a stanza is in Redis until the other domain has settled it."""

    def __init__(
        self,
        reactor: Any,
        client: RedisClient,
        keys: Keys,
        *,
        domain: str,
        node: str,
        tracer: HopRecorder,
        max_backlog: int,
    ) -> None:
        """`reactor` is an IReactorTime, `client` is connected.

        `node` names this reader: by it, it finds again what it was given before a crash.
        `max_backlog`: entries (batches) that may wait on one link.
        """
        self._outbound = Outbound(reactor, client, keys, domain, tracer, max_backlog)
        self._inbound = Inbound(reactor, client, keys, domain, node, tracer)

    def link(self, to_domain: str) -> OutboundLink:
        """The link to this domain, for one sending: a link that nobody serves is forgotten."""
        return self._outbound.link(to_domain)

    async def start(self, deliver: Deliver, bounce: Bounce) -> None:
        """Begin to carry, first what was not acknowledged before a crash."""
        self._outbound.start(bounce)
        await self._inbound.start(deliver)

    async def stop(self) -> None:
        """Stop reading, and write what is still queued."""
        await self._inbound.stop()
        await self._outbound.drain()
