"""The router over XML streams: each server connects to the others, as RFC 6120 has it."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger

from cluster.base.clock import as_interface
from cluster.base.settled import Settled
from cluster.router.port import Bounce, Deliver
from cluster.router.s2s.incoming import IncomingStreams
from cluster.router.s2s.pair import OutgoingPair
from cluster.router.s2s.ports import IDLE_S, S2sPorts
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.servers.dialback import Pair
from cluster.xmpp.streams.servers.stream import ServerOptions

STOP_S = 5.0
"""So long a server that stops waits for what is on its way."""
_LOOK_S = 0.01


class S2sLink:
    """A `Link` to one domain and its components: a stream for each pair of domains."""

    def __init__(self, router: S2sRouter) -> None:
        self._router = router

    def send(self, stanza: Stanza) -> Settled:
        """Carry the stanza; see `Link`."""
        from_, to = stanza.from_, stanza.to
        assert from_ is not None  # routing has looked
        assert to is not None
        return self._router.pair(Pair(from_.domainpart, to.domainpart)).send(stanza)


class S2sRouter(Factory):
    """A `Router` of one domain; and the factory for the port at which other servers connect.

    At least once between servers that both know XEP-0198; else what was written counts as arrived.
    """

    noisy = False
    _log = Logger()

    def __init__(self, ports: S2sPorts) -> None:
        self._ports = ports
        self._options: ServerOptions
        """Set by `start`."""
        self._bounce: Bounce
        self._pairs: dict[Pair, OutgoingPair] = {}
        self._link = S2sLink(self)
        self._incoming: IncomingStreams | None = None

    def link(self, to_domain: str) -> S2sLink:
        """The link to this domain; one serves them all, since each pair has its own queue."""
        return self._link

    def pair(self, pair: Pair) -> OutgoingPair:
        """The way from one domain to another. There are as many as domains that are known, on both sides."""
        found = self._pairs.get(pair)
        if found is None:
            found = self._pairs[pair] = OutgoingPair(pair, self._options, self._ports, self._bounce, self._forget)
        return found

    async def start(self, deliver: Deliver, bounce: Bounce) -> None:
        """Begin to carry."""
        self._options = ServerOptions(
            self._ports.tls_mode, await self._ports.secret(), IDLE_S, peers=self._ports.peers
        )  # fmt: skip
        self._bounce = bounce
        self._incoming = IncomingStreams(self._options, self._ports, deliver, bounce)
        self._incoming.startFactory()

    def buildProtocol(self, addr: Any) -> Any:
        """A connection of another server; before the start and after the stop there is none."""
        return self._incoming.buildProtocol(addr) if self._incoming is not None else None

    async def stop(self) -> None:
        """Take no more, and write what is still queued; what is not acknowledged in time is not settled."""
        if self._incoming is not None:
            self._incoming.shut_down()
            self._incoming.stopFactory()
            self._incoming = None
        self._ports.turn.run_all()
        clock = self._ports.clock
        end_s = clock.seconds() + STOP_S
        while any(pair.is_busy for pair in self._pairs.values()) and clock.seconds() < end_s:
            await deferLater(as_interface(clock), _LOOK_S)
        left = [pair for pair in self._pairs.values() if pair.is_busy]
        if left:
            self._log.error("Stopped while stanzas to {number} domains were on their way", number=len(left))
        for pair in self._pairs.values():
            pair.stop()

    def _forget(self, pair: Pair) -> None:
        """There is no such domain: strangers' names must not pile up."""
        self._pairs.pop(pair, None)
