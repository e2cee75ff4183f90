"""The router over XML streams: each server connects to the others (RFC 6120)."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger

from cluster.base import reasons
from cluster.base.clock import as_interface
from cluster.base.settled import Settled, all_of
from cluster.router.port import Receiver
from cluster.router.s2s.incoming import IncomingStreams
from cluster.router.s2s.pair import OutgoingPair
from cluster.router.s2s.ports import IDLE_S, S2sPorts
from cluster.router.s2s.queue import Held
from cluster.xmpp.copies import Copies
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.servers.dialback import Pair
from cluster.xmpp.streams.servers.stream import ServerOptions

MAX_PAIRS = 10_000
"""Pairs of domains with a queue or a stream: with `resolver: system` clients may write to any domain."""
LOOK_AGAIN_S = 1.0
"""The pause after a search among MAX_PAIRS for one that is idle found none; it takes milliseconds."""
STOP_S = 5.0
"""How long a server that stops waits until its stanzas are acknowledged."""
_LOOK_S = 0.01


class S2sLink:
    """A `Link` to one domain and its components: a stream for each pair of domains."""

    def __init__(self, router: S2sRouter) -> None:
        self._router = router

    def send(self, item: Stanza | Copies) -> Settled:
        """Carry it; of one for many, each copy. It has settled when the peer has acknowledged it, or as OutgoingPair
        says."""
        return self._send(item) if isinstance(item, Stanza) else all_of([self._send(copy) for copy in item.each()])

    def _send(self, stanza: Stanza) -> Settled:
        from_, to = stanza.from_, stanza.to
        assert from_ is not None  # routing has checked both
        assert to is not None
        pair = self._router.pair(Pair(from_.domainpart, to.domainpart))
        return pair.send(stanza) if pair is not None else self._router.refuse(stanza)


class S2sRouter(Factory):
    """A `Router` of one domain, and the factory for the port that other servers connect to.

    Stanzas arrive at least once if both servers support XEP-0198; otherwise what was written counts as arrived.
    """

    noisy = False
    _log = Logger()

    def __init__(self, ports: S2sPorts) -> None:
        self._ports = ports
        self._options: ServerOptions
        self._streams: IncomingStreams
        """Both are set by `start`."""
        self._pairs: dict[Pair, OutgoingPair] = {}
        self._idle: deque[Pair] = deque()
        """Those that were idle when they were last looked for."""
        self._look_again_s = 0.0
        self._held = Held()
        self._link = S2sLink(self)
        self._incoming: IncomingStreams | None = None

    @property
    def is_busy(self) -> bool:
        """Some stanza is not acknowledged, or has not settled here."""
        is_taking = self._incoming is not None and self._incoming.is_busy
        return is_taking or any(pair.is_busy for pair in self._pairs.values())

    def link(self, to_domain: str) -> S2sLink:
        """The link to this domain: the same for all, since each pair has its own queue."""
        return self._link

    def pair(self, pair: Pair) -> OutgoingPair | None:
        """The queue and stream of this pair; None if there are too many. One whose domain has no address is forgotten,
        and beyond MAX_PAIRS the oldest idle one.
        """
        found = self._pairs.get(pair)
        if found is None and (len(self._pairs) < MAX_PAIRS or self._forget_idle()):
            found = self._pairs[pair] = OutgoingPair(
                pair, self._options, self._ports, self._streams, self._held, self._forget
            )  # fmt: skip
        return found

    def refuse(self, stanza: Stanza) -> Settled:
        """Return a stanza for which there is no pair."""
        text = f"stanzas wait for {MAX_PAIRS:,} other domains already"
        return self._streams.bounce(stanza, StanzaError(Condition.RESOURCE_CONSTRAINT, text, reason=reasons.LINKS_FULL))

    def _forget_idle(self) -> bool:
        """Each stanza to one more domain comes here: all are looked at together, and after a while if none was idle."""
        now_s = self._ports.clock.seconds()
        if not self._idle and now_s >= self._look_again_s:
            self._idle.extend(name for name, pair in self._pairs.items() if pair.is_idle)
            self._look_again_s = now_s if self._idle else now_s + LOOK_AGAIN_S
        while self._idle:
            name = self._idle.popleft()
            if (pair := self._pairs.get(name)) is not None and pair.is_idle:
                self._pairs.pop(name).stop()
                return True
        return False

    async def start(self, receiver: Receiver) -> None:
        """Start to carry, and to accept streams."""
        self._options = ServerOptions(
            self._ports.tls_mode, await self._ports.secret(), IDLE_S, peers=self._ports.peers
        )  # fmt: skip
        self._streams = self._incoming = IncomingStreams(self._options, self._ports, receiver)
        self._streams.on_both_ways = self._on_both_ways
        self._incoming.startFactory()

    def buildProtocol(self, addr: Any) -> Any:
        """Accept a connection of another server; refuse it before the start and after the stop."""
        return self._incoming.buildProtocol(addr) if self._incoming is not None else None

    async def stop(self) -> None:
        """Accept nothing more, and write what is still queued. What is not acknowledged in STOP_S does not settle.

        What came is awaited, too: a peer without XEP-0198 does not send it again.
        """
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.shut_down()
            incoming.stopFactory()
        self._ports.turn.run_all()
        clock = self._ports.clock
        end_s = clock.seconds() + STOP_S
        while clock.seconds() < end_s and (
            (incoming is not None and incoming.is_busy) or any(pair.is_busy for pair in self._pairs.values())
        ):
            await deferLater(as_interface(clock), _LOOK_S)
            if incoming is not None:
                incoming.shut_down()
        left = [pair for pair in self._pairs.values() if pair.is_busy]
        if left:
            self._log.error("Stopped while stanzas to {number} domains were on their way", number=len(left))
        for pair in self._pairs.values():
            pair.stop()

    def _on_both_ways(self, pair: Pair) -> None:
        """What waits for the peer may go that way now, or has to go another way."""
        found = self._pairs.get(pair)
        if found is not None:
            found.connect()

    def _forget(self, pair: Pair) -> None:
        """There is no such domain: names that strangers make up must not pile up."""
        self._pairs.pop(pair, None)
