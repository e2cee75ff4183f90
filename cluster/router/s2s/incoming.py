"""The streams that other servers opened to this one."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.settled import Settled
from cluster.base.storage import log_failed
from cluster.router.port import Bounce, Deliver
from cluster.router.s2s.connection import ServerConnection
from cluster.router.s2s.incoming_link import IncomingLink
from cluster.router.s2s.ports import IDLE_S, RESUME_S, S2sPorts
from cluster.router.s2s.progress import Progress
from cluster.router.s2s.verifier import Verifier
from cluster.streams.backpressure import UNANSWERED
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Closed, Misaddressed, ResumeRequested, TlsWanted
from cluster.xmpp.streams.servers.dialback import Pair
from cluster.xmpp.streams.servers.receiving import (
    AcknowledgementWanted,
    Authenticated,
    ManagementStarted,
    ReceivingEvent,
    ReceivingServerStream,
    VerifyWanted,
)
from cluster.xmpp.streams.servers.stream import ServerOptions, ServerState
from cluster.xmpp.streams.sm import StreamManagement

MAX_HALF_OPEN = 1_000
"""Streams whose peers are not authenticated yet. One more ends the oldest of them: whoever means it needs milliseconds
for that, and whoever does not must keep nobody else out."""
MAX_LEFT = 1_000
"""Broken streams that may still be resumed; one more ends the oldest of them."""
SWEEP_S = 60.0
"""How often it is looked who is silent."""
_TLS_RECORD = b"\x16"
"""How TLS begins, and no XML: direct TLS (XEP-0368) needs no port of its own."""


class IncomingStreams(Factory):
    """Makes an IncomingConnection for each connection, and can end them all."""

    noisy = False
    log = Logger()

    def __init__(self, options: ServerOptions, ports: S2sPorts, deliver: Deliver, bounce: Bounce) -> None:
        self.ports = ports
        self.options = options
        self.bounce = bounce
        self.verifier = Verifier(options, ports)
        self.streams: dict[IncomingConnection, None] = {}
        self.half_open: dict[IncomingConnection, None] = {}
        self.managed: dict[str, Progress] = {}
        self._left: dict[str, None] = {}
        """Those of `managed` whose connection is gone, the longest first."""
        self._deliver = deliver
        self._links: dict[str, IncomingLink] = {}
        self._sweep: Any = None

    def startFactory(self) -> None:
        """The port listens."""
        self._sweep = self.ports.clock.callLater(SWEEP_S, self._on_sweep)

    def stopFactory(self) -> None:
        """The port is closed."""
        if self._sweep is not None and self._sweep.active():
            self._sweep.cancel()

    def buildProtocol(self, addr: object) -> IncomingConnection:
        """A new connection."""
        return IncomingConnection(self)

    def link(self, from_domain: str) -> IncomingLink:
        """The one that this domain's stanzas come over: its server's."""
        name = self.ports.served_by.get(from_domain, from_domain)
        link = self._links.get(name)
        if link is None:
            link = self._links[name] = IncomingLink(name, self.ports, self._deliver)
        return link

    def half_opened(self, connection: IncomingConnection) -> None:
        """One more peer that is not known yet."""
        self.half_open[connection] = None
        if len(self.half_open) > MAX_HALF_OPEN:
            oldest = next(iter(self.half_open))
            del self.half_open[oldest]
            oldest.fail(StreamError(StreamCondition.RESOURCE_CONSTRAINT, "too many streams are being opened"))
            oldest.hang_up()

    def gone(self, connection: IncomingConnection) -> None:
        """There is nobody any more to read on from."""
        for link in self._links.values():
            link.forget(connection)

    def left(self, progress: Progress) -> None:
        """Its connection is gone; it may come back."""
        progress.connection = None
        progress.left_s = self.ports.clock.seconds()
        self._left[progress.management.id] = None
        if len(self._left) > MAX_LEFT:
            self.forget(next(iter(self._left)))

    def came_back(self, id: str, progress: Progress) -> None:
        """The stream goes on over another connection."""
        self._left.pop(id, None)
        self.managed[id] = progress

    def forget(self, id: str) -> None:
        """The stream has ended for good."""
        self._left.pop(id, None)
        if self.managed.pop(id, None) is not None:
            self.ports.counts.forget(id)

    def shut_down(self) -> None:
        """End every stream: `system-shutdown` (RFC 6120 section 4.9.3.19). Each may be resumed later."""
        for stream in [*self.streams]:
            stream.fail(StreamError(StreamCondition.SYSTEM_SHUTDOWN))
            stream.hang_up()

    def _on_sweep(self) -> None:
        for stream in [*self.streams]:
            stream.look()
        now_s = self.ports.clock.seconds()
        gone = [id for id in self._left if now_s - self.managed[id].left_s > RESUME_S]
        for id in gone:
            self.forget(id)
        self.startFactory()


class IncomingConnection(ServerConnection):
    """One stream of another server."""

    _stream: ReceivingServerStream

    def __init__(self, shared: IncomingStreams) -> None:
        ports = shared.ports
        stream = ReceivingServerStream(ports.domains, shared.options, ports.new_id, RESUME_S)
        super().__init__(stream, ports.clock, ports.peer_clock, shared.streams)
        self._shared = shared
        self._ports = ports
        self._taken: list[Stanza] = []
        self._count = 0
        """Of the next stanza, in the stream: its place."""
        self._skip = 0
        self._progress: Progress | None = None
        self._silent_sweeps = 0

    # --- the connection

    def connectionMade(self) -> None:
        """Wait for what the peer says first."""
        super().connectionMade()
        self._shared.half_opened(self)

    def dataReceived(self, data: bytes) -> None:
        """As any stream, or TLS at once."""
        self._silent_sweeps = 0
        stream, tls = self._stream, self._ports.tls
        is_first = stream.state is ServerState.OPENING and not stream.secure
        if is_first and tls is not None and data.startswith(_TLS_RECORD) and not stream.has_begun:
            self.transport.startTLS(tls.receiving)
            self.transport.protocol.dataReceived(data)
            return
        super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, with or without a goodbye; what came before counts."""
        self._connections.pop(self, None)
        for event in self._stream.events():
            self._on_event(event)
        self._hand_over()
        self._shared.gone(self)
        self._limit(None)
        self._over(reason.getErrorMessage())

    def look(self) -> None:
        """Once in a while: is anybody there?"""
        self._silent_sweeps += 1
        if self._silent_sweeps * SWEEP_S > IDLE_S:
            self.fail(StreamError(StreamCondition.CONNECTION_TIMEOUT, f"nothing came for {IDLE_S} seconds"))
        else:
            self._stream.rest()

    def wait(self) -> None:
        """See `Reading`."""
        self._reading.pauseProducing(UNANSWERED)

    def go_on(self) -> None:
        """See `Reading`."""
        self._reading.resumeProducing(UNANSWERED)

    def _over(self, reason: str) -> None:
        self._shared.half_open.pop(self, None)
        progress, self._progress = self._progress, None
        if progress is not None and progress.connection is self:
            if self._stream.has_ended or not progress.management.is_resumable:
                progress.connection = None
                self._shared.forget(progress.management.id)
            else:
                self._shared.left(progress)
        if self._stream.pairs:
            self._log.info("stream from {peer} ended: {reason}", peer=self._stream.peer, reason=reason)

    # --- what the stream says

    def _on_event(self, event: ReceivingEvent) -> None:
        if type(event) is Stanza:
            self._taken.append(event)
            return
        self._hand_over()
        match event:
            case Misaddressed() if not self._came_before(1):
                self._receive(1, self._shared.bounce(event.stanza, event.error))
            case Authenticated():
                self._on_authenticated(event)
            case VerifyWanted():
                asked = event.verification
                self._shared.verifier.verify(asked).addCallback(partial(self._on_verified, asked))
            case TlsWanted():
                assert self._ports.tls is not None
                self.start_tls(self._ports.tls.receiving)
            case AcknowledgementWanted():
                assert self._progress is not None
                self._progress.asked()
            case ManagementStarted():
                self._on_managed()
            case ResumeRequested():
                resuming = Deferred.fromCoroutine(self._resume(event.previd))
                resuming.addErrback(partial(log_failed, self._log, "Resuming a stream"))
            case Closed():
                self._on_closed(event)

    def _write_output(self) -> None:
        self._hand_over()
        super()._write_output()

    def _on_authenticated(self, event: Authenticated) -> None:
        self._shared.half_open.pop(self, None)
        self._limit(None)
        secured = "TLS" if self._stream.secure else "in clear"
        self._log.info(
            "stream from {from_} to {to}: {how}, {secured}",
            from_=event.pair.from_, to=event.pair.to, how=event.how, secured=secured,
        )  # fmt: skip

    def _on_verified(self, asked: Any, outcome: Any) -> None:
        if (event := self._stream.verified(asked, outcome)) is not None:
            self._on_event(event)
        self._write_output()

    # --- stanzas

    def _hand_over(self) -> None:
        """What came since the last time, as one entry for each link."""
        if not self._taken:
            return
        stanzas, self._taken = self._taken, []
        stanzas = stanzas[self._came_before(len(stanzas)) :] if self._skip else stanzas
        at_ms = int(self._clock.seconds() * 1000)
        for domain, of_link in groupby(stanzas, _sender):
            entry = [*of_link]
            link = self._shared.link(domain)
            management = self._stream.management
            id = management.id if management is not None and management.id else self._stream.id
            self._receive(len(entry), link.take(f"{at_ms}-{id}", entry, self._count))
            link.pause_if_full(self)

    def _receive(self, count: int, settled: Settled) -> None:
        """So many more came, which are safe when this has settled."""
        self._count += count
        if settled is not None:
            self._unsettled.add(settled)
        if self._progress is not None:
            self._progress.received(count, settled)
        elif settled is not None:
            settled.addErrback(partial(log_failed, self._log, f"Delivering what came from {self._stream.peer}"))

    def _came_before(self, count: int) -> int:
        """How many of so many stanzas are on their way here since before the stream was resumed."""
        skipped = min(self._skip, count)
        self._skip -= skipped
        self._count += skipped
        return skipped

    # --- stream management

    def tell(self, handled: int) -> None:
        """See `Telling`."""
        self._stream.tell(handled)
        ServerConnection._write_output(self)

    def _on_managed(self) -> None:
        management = self._stream.management
        assert management is not None
        self._count = 0
        self._progress = Progress(management, next(iter(self._stream.pairs)), self._ports, self)
        if management.is_resumable:
            self._shared.managed[management.id] = self._progress

    async def _resume(self, previd: str) -> None:
        """Go on where the stream was that broke."""
        progress = await self._progress_of(previd, next(iter(self._stream.pairs)))
        if self._stream.state is ServerState.CLOSED or self not in self._connections:
            return
        if progress is None:
            self._stream.resume_refused()
        else:
            before = progress.connection
            if before is not None and before is not self:
                before.fail(StreamError(StreamCondition.CONFLICT, "the stream was resumed over another connection"))
            self._skip = progress.resume(self)
            self._count = progress.management.told
            self._progress = progress
            self._shared.came_back(previd, progress)
            self._stream.resumed(progress.management)
        self._drain()

    async def _progress_of(self, previd: str, pair: Pair) -> Progress | None:
        """Of this process, or of one before it."""
        known = self._shared.managed.get(previd)
        if known is not None:
            return known if known.pair == pair else None
        handled = await self._ports.counts.find(previd, pair)
        if handled is None:
            return None
        return Progress(StreamManagement(previd, RESUME_S, handled), pair, self._ports, self)


def _sender(stanza: Stanza) -> str:
    assert stanza.from_ is not None
    return stanza.from_.domainpart
