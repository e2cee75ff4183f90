"""The router over Redis streams: one stream for each directed pair of domains."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from cluster.base.clock import Clock
from cluster.base.turn import Turn
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.router import entry
from cluster.router.assignment import AllLinks, LinkAssignment
from cluster.router.guard import LinkGuard
from cluster.router.inbound import Inbound
from cluster.router.outbound import Outbound
from cluster.router.port import HopRecorder, Receiver
from cluster.router.reader import EntrySink
from cluster.router.realm import NO_COMPONENTS
from cluster.router.redis_faults import RedisFaults


class RedisRouter:
    """A `Router` of one domain. At least once: a stanza is in Redis until the other domain has settled it."""

    def __init__(
        self,
        reactor: Clock,
        client: RedisClient,
        keys: Keys,
        *,
        turn: Turn,
        domain: str,
        tracer: HopRecorder,
        max_backlog: int,
        now_utc_s: Callable[[], float],
        sender: str = "",
        share: LinkAssignment | None = None,
        served_by: Mapping[str, str] = NO_COMPONENTS,
        peers: Collection[str] | None = None,
    ) -> None:
        """`client` is connected, `turn` is that of all who write to it.
        `max_backlog`: entries (batches) that wait on one link; `now_utc_s`: by which commands give faults their times;
        `served_by`: see `realm`.

        Where several nodes serve the domain, `share` tells which links this one reads, and `sender` is what its own
        links out are known by: the domain, or `domain/node`, since a link has one writer.

        `peers`: the only domains that links lead to from this one; None: all that there are.
        """
        self._reactor = reactor
        self._domain = domain
        self._tracer = tracer
        self._served_by = served_by
        self._outbound = Outbound(
            reactor, turn, client, keys, sender or domain, tracer, max_backlog, peers, encode=entry.encode
        )
        self.link = self._outbound.link
        """The link to this domain, for one sending: a link that nobody serves is forgotten."""
        self.faults = RedisFaults(reactor, client, keys, domain, tracer, now_utc_s)
        """Of the links into the domain, whatever carries them; known before `start` reads anything."""
        self._inbound = Inbound(
            reactor, turn, client, keys, domain, share or AllLinks(), entry.decode, self.faults.are_known
        )

    async def start(self, receiver: Receiver) -> None:
        """Begin to carry, first what was not acknowledged before a crash."""
        self._outbound.start(receiver.bounce)
        await self.faults.start()  # first, for they are to be known when something is read

        def open_sink(from_: str, on_room: Callable[[], None]) -> EntrySink:
            guard = LinkGuard(self._reactor, from_, self._domain, self._served_by, receiver, self._tracer)
            return self.faults.before(from_, guard, on_room)

        await self._inbound.start(open_sink)

    def share_changed(self) -> None:
        """The nodes of the domain are others than before."""
        self._inbound.share_changed()

    def node_gone(self) -> None:
        """Another node of the domain is gone: what it had written is delivered before what is sent from now on."""
        self._outbound.node_gone()

    async def stop(self) -> None:
        """Stop reading, and write what is still queued."""
        self.faults.stop()
        await self._inbound.stop()
        await self._outbound.drain()
