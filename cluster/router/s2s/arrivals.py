"""The stanzas that come over one stream, on their way to the links of their senders, and how far they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import groupby
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.base.settled import Settled
from cluster.base.storage import log_failed
from cluster.router.port import Bounce
from cluster.router.s2s.incoming_link import IncomingLink, Reading
from cluster.router.s2s.ports import S2sPorts
from cluster.router.s2s.progress import Progress, Telling
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Misaddressed
from cluster.xmpp.streams.servers.stream import ServerStream
from cluster.xmpp.streams.sm import StreamManagement


class Links(Protocol):
    """The links into this domain."""

    ports: S2sPorts

    @property
    def bounce(self) -> Bounce:
        """Answers a stanza that cannot be delivered."""

    def link(self, from_domain: str) -> IncomingLink:
        """The link of this domain: that of its server."""

    def gone(self, connection: Reading) -> None:
        """The connection is gone: no link may resume reading from it."""


class Connection(Telling, Reading, Protocol):
    """The connection of the stream."""


class Arrivals:
    """What has come over one connection."""

    _log = Logger()

    def __init__(
        self,
        stream: ServerStream[Any],
        links: Links,
        connection: Connection,
        id: Callable[[], str],
        bound: Callable[[Deferred[Any]], None],
    ) -> None:
        """`id`: that of the stream, for places of its stanzas if it has no SM-ID. `bound` counts a batch that is not
        settled, so that reading from the peer stops when they are too many.
        """
        self.progress: Progress | None = None
        """None before XEP-0198 is enabled."""
        self._stream = stream
        self._links = links
        self._connection = connection
        self._id = id
        self._bound = bound
        self._taken: list[Stanza] = []
        self._count = 0
        """The number of the next stanza in the stream: its place."""
        self._skip = 0
        """Stanzas that the peer sends again and that were received over an earlier connection."""

    def take(self, stanza: Stanza) -> None:
        """One more stanza; `hand_over` follows, at the latest after the last one of a read."""
        self._taken.append(stanza)

    def hand_over(self) -> None:
        """Pass on the stanzas that came since the last call, one entry for each run of one sender domain."""
        if not self._taken:
            return
        stanzas, self._taken = self._taken, []
        stanzas = stanzas[self._came_before(len(stanzas)) :] if self._skip else stanzas
        at_ms = int(self._links.ports.clock.seconds() * 1000)
        management = self._stream.management
        id = management.id if management is not None and management.id else self._id()
        for domain, of_link in groupby(stanzas, _sender):
            entry = [*of_link]
            link = self._links.link(domain)
            self._receive(len(entry), link.take(f"{at_ms}-{id}", entry, self._count))
            link.pause_if_full(self._connection)

    def misaddressed(self, event: Misaddressed) -> None:
        """Answer a stanza that cannot be delivered."""
        if not self._came_before(1):
            self._receive(1, self._links.bounce(event.stanza, event.error))

    def managed(self) -> Progress:
        """XEP-0198 is enabled: count from now on."""
        management = self._stream.management
        assert management is not None
        self._count = 0
        self.progress = Progress(management, next(iter(self._stream.pairs)), self._links.ports, self._connection)
        return self.progress

    def resumed(self, progress: Progress) -> StreamManagement:
        """Go on with the stream whose progress this is."""
        self._skip = progress.resume(self._connection)
        self._count = progress.management.told
        self.progress = progress
        return progress.management

    def _receive(self, count: int, settled: Settled) -> None:
        """`count` more stanzas came, which are safe when `settled` has settled."""
        self._count += count
        if settled is not None:
            self._bound(settled)
        if self.progress is not None:
            self.progress.received(count, settled)
        elif settled is not None:
            peer = next(iter(self._stream.pairs)).from_
            settled.addErrback(partial(log_failed, self._log, f"Delivering what came from {peer}"))

    def _came_before(self, count: int) -> int:
        """How many of the next `count` stanzas were received before the stream was resumed; they are skipped."""
        skipped = min(self._skip, count)
        self._skip -= skipped
        self._count += skipped
        return skipped


def _sender(stanza: Stanza) -> str:
    assert stanza.from_ is not None
    return stanza.from_.domainpart
