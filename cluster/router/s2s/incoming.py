"""The streams that other servers open to this one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.storage import log_failed
from cluster.router.port import Receiver
from cluster.router.s2s.arrivals import Arrivals
from cluster.router.s2s.connection import ServerConnection
from cluster.router.s2s.incoming_link import IncomingLink, Reading
from cluster.router.s2s.ports import IDLE_S, RESUME_S, S2sPorts
from cluster.router.s2s.resumable import ResumableStreams
from cluster.router.s2s.verifier import Verifier
from cluster.streams.backpressure import UNANSWERED
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Closed, Misaddressed, ResumeRequested, TlsWanted
from cluster.xmpp.streams.servers.dialback import Pair
from cluster.xmpp.streams.servers.events import (
    Acknowledged,
    AcknowledgementWanted,
    Authenticated,
    ManagementStarted,
    ReceivingEvent,
    VerifyWanted,
)
from cluster.xmpp.streams.servers.receiving import ReceivingServerStream
from cluster.xmpp.streams.servers.stream import ServerOptions, ServerState

MAX_HALF_OPEN = 1_000
"""Streams whose peers are not authenticated yet; one more ends the oldest of them. A server authenticates within
milliseconds, and strangers that never do must keep no other server out."""
MAX_LINKS = 1_000
"""Links that are kept while nothing comes over them: whoever has a domain has as many below it as they like."""
MANAGE_S = 1.0
"""How long a bidirectional stream is not written to while XEP-0198 is not enabled: what was written before is not
counted, and lost with the stream."""
SWEEP_S = 60.0
"""The period of the search for silent peers."""
_TLS_RECORD = b"\x16"
"""The first byte of TLS, and never of XML: direct TLS (XEP-0368) needs no port of its own."""


class IncomingStreams(Factory):
    """The factory of IncomingConnection, and what its connections share."""

    noisy = False
    log = Logger()

    def __init__(self, options: ServerOptions, ports: S2sPorts, receiver: Receiver) -> None:
        self.ports = ports
        self.options = options
        self.bounce = receiver.bounce
        self.verifier = Verifier(options, ports)
        self.streams: dict[IncomingConnection, None] = {}
        self.half_open: dict[IncomingConnection, None] = {}
        self.resumable = ResumableStreams(ports)
        self.both_ways: dict[Pair, IncomingConnection] = {}
        """The bidirectional streams (XEP-0288), by the pair whose stanzas may be written to them, now or soon."""
        self.on_both_ways: Callable[[Pair], None] = lambda pair: None
        """Called when one may be written to, or is over."""
        self._receiver = receiver
        self._links: dict[str, IncomingLink] = {}
        self._sweep: Any = None

    def startFactory(self) -> None:
        """Start to look for silent peers."""
        self._sweep = self.ports.clock.callLater(SWEEP_S, self._on_sweep)

    def stopFactory(self) -> None:
        """Stop looking for silent peers."""
        if self._sweep is not None and self._sweep.active():
            self._sweep.cancel()

    def buildProtocol(self, addr: object) -> IncomingConnection:
        """The protocol of a new connection."""
        return IncomingConnection(self)

    def link(self, from_domain: str) -> IncomingLink:
        """The link of this domain: that of its server."""
        name = self.ports.served_by.get(from_domain, from_domain)
        link = self._links.get(name)
        if link is None:
            if len(self._links) >= MAX_LINKS:
                self._forget_idle_links()
            link = self._links[name] = IncomingLink(name, self.ports, self._receiver)
        return link

    def _forget_idle_links(self) -> None:
        for name, link in [*self._links.items()]:
            if link.is_idle:
                del self._links[name]
                self.ports.faults.forget(name)

    def half_opened(self, connection: IncomingConnection) -> None:
        """Count a peer that is not authenticated yet."""
        self.half_open[connection] = None
        if len(self.half_open) > MAX_HALF_OPEN:
            oldest = next(iter(self.half_open))
            del self.half_open[oldest]
            oldest.fail(StreamError(StreamCondition.RESOURCE_CONSTRAINT, "too many streams are being opened"))
            oldest.hang_up()

    def gone(self, connection: Reading) -> None:
        """The connection is gone: no link may resume reading from it."""
        for link in self._links.values():
            link.forget(connection)

    @property
    def is_busy(self) -> bool:
        """Something that came is not safe yet, or not counted."""
        return self.resumable.is_noting or any(link.is_busy for link in self._links.values())

    def shut_down(self) -> None:
        """End every stream over which no stanza waits to be sent; may be called again, for those that waited."""
        for stream in [*self.streams]:
            stream.shut_down()

    def _on_sweep(self) -> None:
        for stream in [*self.streams]:
            stream.look()
        self.resumable.forget_old()
        self.startFactory()


class IncomingConnection(ServerConnection):
    """One stream that another server opened."""

    _stream: ReceivingServerStream

    def __init__(self, shared: IncomingStreams) -> None:
        ports = shared.ports
        stream = ReceivingServerStream(ports.domains, shared.options, ports.new_id, RESUME_S)
        super().__init__(stream, ports, shared.streams)
        self._shared = shared
        self._arrivals = Arrivals(
            stream, shared, self, lambda: self._stream.id, lambda settled: self._unsettled.add(settled)
        )
        self._way_back: Pair | None = None
        """The pair whose stanzas may be written here: the reverse of the first that the peer authenticated. The others
        get streams of their own, since XEP-0198 counts all stanzas of a stream together.
        """
        self.is_open_both_ways = False
        """They may be written now, not only soon."""
        self._silent_sweeps = 0

    # --- the connection

    def connectionMade(self) -> None:
        """Wait for the peer's first bytes."""
        super().connectionMade()
        self._shared.half_opened(self)

    def dataReceived(self, data: bytes) -> None:
        """Feed the stream, or start direct TLS."""
        self._silent_sweeps = 0
        stream, tls = self._stream, self._ports.tls
        is_first = stream.state is ServerState.OPENING and not stream.secure
        if is_first and tls is not None and data.startswith(_TLS_RECORD) and not stream.has_begun:
            self.transport.startTLS(tls.receiving)
            self.transport.protocol.dataReceived(data)
            return
        super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Handle what came before the end of the connection."""
        self._connections.pop(self, None)
        for event in self._stream.events():
            self._on_event(event)
        self._stream.end_input()
        self._arrivals.hand_over()
        self._shared.gone(self)
        self._limit(None)
        self._over(reason.getErrorMessage())

    def shut_down(self) -> None:
        """End the stream, unless stanzas wait to be sent over it: `system-shutdown` (RFC 6120 section 4.9.3.20). It may
        be resumed later.
        """
        if not self._is_leaving and (self._sender is None or not self._sender.is_busy):
            self.fail(StreamError(StreamCondition.SYSTEM_SHUTDOWN))
            self.hang_up()

    def look(self) -> None:
        """End the stream of a silent peer; called once per SWEEP_S."""
        self._silent_sweeps = 0 if self._reading.is_stopped(UNANSWERED) else self._silent_sweeps + 1
        if self._silent_sweeps * SWEEP_S > IDLE_S:
            self.fail(StreamError(StreamCondition.CONNECTION_TIMEOUT, f"nothing came for {IDLE_S} seconds"))
        else:
            self._stream.rest()

    def _over(self, reason: str) -> None:
        self._shared.half_open.pop(self, None)
        pair = self._way_back
        was_way_back = pair is not None and self._shared.both_ways.get(pair) is self
        if pair is not None and was_way_back:
            del self._shared.both_ways[pair]
        super()._over(reason)
        if pair is not None and was_way_back:
            self._shared.on_both_ways(pair)
        progress, self._arrivals.progress = self._arrivals.progress, None
        if progress is not None and progress.connection is self:
            if self._stream.has_ended or not progress.management.is_resumable:
                progress.connection = None
                self._shared.resumable.forget(progress.management.id)
            else:
                self._shared.resumable.left(progress)
        if self._stream.pairs:
            self._log.info("stream from {peer} ended: {reason}", peer=self._stream.peer, reason=reason)

    # --- events of the stream

    def _on_event(self, event: ReceivingEvent) -> None:
        if type(event) is Stanza:
            self._arrivals.take(event)
            return
        self._arrivals.hand_over()
        match event:
            case Misaddressed():
                self._arrivals.misaddressed(event)
            case Authenticated():
                self._on_authenticated(event)
            case VerifyWanted():
                asked = event.verification
                self._shared.verifier.verify(asked).addCallback(partial(self._on_verified, asked))
            case TlsWanted():
                assert self._ports.tls is not None
                self.start_tls(self._ports.tls.receiving)
            case Closed():
                self._on_closed(event)
            case _:
                self._on_management(event)

    def _open_way_back(self) -> None:
        """Stanzas of the reverse pair may be written from now on."""
        pair = self._way_back
        if pair is not None and self._shared.both_ways.get(pair) is self and not self.is_open_both_ways:
            self.is_open_both_ways = True
            self._shared.on_both_ways(pair)

    def _write_output(self) -> None:
        self._arrivals.hand_over()
        super()._write_output()

    def _on_authenticated(self, event: Authenticated) -> None:
        self._shared.half_open.pop(self, None)
        self._limit(None)
        ways = ", both ways" if self._stream.is_bidirectional else ""
        self._log.info(
            "stream from {from_} to {to}: {how}, {secured}",
            from_=event.pair.from_, to=event.pair.to, how=event.how, secured=self._stream.secured + ways,
        )  # fmt: skip
        if self._stream.is_bidirectional and self._way_back is None:
            self._way_back = event.pair.reverse
            self._shared.both_ways[self._way_back] = self
            self._clock.callLater(MANAGE_S, self._open_way_back)

    def _on_verified(self, asked: Any, outcome: Any) -> None:
        if self._is_gone:
            return
        if (event := self._stream.verified(asked, outcome)) is not None:
            self._on_event(event)
        self._write_output()

    # --- stream management

    def tell(self, handled: int) -> None:
        """Tell the peer that `handled` stanzas are safe."""
        self._stream.tell(handled)
        ServerConnection._write_output(self)

    def _on_management(self, event: ReceivingEvent) -> None:
        match event:
            case Acknowledged() if self._sender is not None:
                self._sender.acknowledged(event.count)
            case AcknowledgementWanted():
                assert self._arrivals.progress is not None
                self._arrivals.progress.asked()
            case ManagementStarted():
                self._on_managed()
            case ResumeRequested():
                resuming = Deferred.fromCoroutine(self._resume(event.previd))
                resuming.addErrback(partial(log_failed, self._log, "Resuming a stream"))

    def _on_managed(self) -> None:
        progress = self._arrivals.managed()
        if progress.management.is_resumable:
            self._shared.resumable.attached(progress)
        self._write_output()  # `<enabled/>` comes before what it counts
        self._open_way_back()

    async def _resume(self, previd: str) -> None:
        """Go on with the stream that broke."""
        progress = await self._shared.resumable.find(previd, next(iter(self._stream.pairs)), self)
        if self._stream.state is ServerState.CLOSED or self not in self._connections:
            return
        if progress is None:
            self._stream.resume_refused()
        else:
            before = progress.connection
            if before is not None and before is not self:
                before.fail(StreamError(StreamCondition.CONFLICT, "the stream was resumed over another connection"))
            management = self._arrivals.resumed(progress)
            self._shared.resumable.attached(progress)
            self._stream.resumed(management)
        self._drain()
