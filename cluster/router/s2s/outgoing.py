"""The streams that this server opens to others, to send stanzas or to verify a dialback key."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from cluster.router.s2s.arrivals import Arrivals, Links
from cluster.router.s2s.connecting import NoStream
from cluster.router.s2s.connection import Sender, ServerConnection
from cluster.router.s2s.ports import Address, S2sPorts
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Closed, Misaddressed, TlsWanted
from cluster.xmpp.streams.servers.dialback import Pair, Verification
from cluster.xmpp.streams.servers.events import Acknowledged, AcknowledgementWanted, InitiatingEvent, Opened, Verified
from cluster.xmpp.streams.servers.initiating import InitiatingServerStream
from cluster.xmpp.streams.servers.stream import ServerOptions, ServerState
from cluster.xmpp.streams.sm import StreamManagement

T = TypeVar("T")


class Opening(Sender):
    """A sender that opens its own stream."""

    def opened(self, connection: OutgoingConnection, event: Opened) -> None:
        """Stanzas may be written from now on."""
        raise NotImplementedError


class InitiatingConnection(ServerConnection, Generic[T]):
    """One end of a stream that this server opens for a pair: an `Attempt`."""

    _stream: InitiatingServerStream

    def __init__(self, stream: InitiatingServerStream, pair: Pair, ports: S2sPorts) -> None:
        super().__init__(stream, ports, {})
        self._pair = pair
        self.ready: Deferred[T] = Deferred()
        """See `Attempt`."""

    def connectionMade(self) -> None:
        """Send the stream header, or start direct TLS."""
        super().connectionMade()
        if self._stream.state is ServerState.SECURING:
            self._secure(direct=True)
        else:
            self._write_output()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, with or without an end of the stream."""
        self._drain_rest()
        self._limit(None)
        self._over(reason.getErrorMessage())

    def _on_event(self, event: InitiatingEvent) -> None:
        match event:
            case TlsWanted():
                self._secure(direct=False)
            case Closed():
                self._on_closed(event)
            case _:
                self._on_answer(event)

    def _secure(self, *, direct: bool) -> None:
        assert self._ports.tls is not None
        self.start_tls(self._ports.tls.initiating(self._pair.to, direct=direct))

    @abstractmethod
    def _on_answer(self, event: InitiatingEvent) -> None:
        """Handle what the peer sends, other than TLS and the end."""

    def _over(self, reason: str) -> None:
        super()._over(reason)
        if not self.ready.called:
            self.ready.errback(NoStream(reason, self._stream.failure))


class OutgoingConnection(InitiatingConnection[bool]):
    """Carries the stanzas of one pair, and those of the peer if the stream is bidirectional (XEP-0288).

    `ready` fires with True, after `Opening.opened`.
    """

    def __init__(
        self, pair: Pair, options: ServerOptions, ports: S2sPorts, links: Links, sender: Opening,
        former: StreamManagement | None, address: Address,
    ) -> None:  # fmt: skip
        stream = InitiatingServerStream(
            pair, options, former=former, direct_tls=address.direct_tls, bidirectional=pair.to in ports.bidirectional
        )
        super().__init__(stream, pair, ports)
        self._opening = sender
        id = ports.new_id()
        self._arrivals = Arrivals(stream, links, self, lambda: id, lambda settled: self._unsettled.add(settled))
        self._links = links

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Handle what came before the end of the connection."""
        super().connectionLost(reason)
        self._arrivals.hand_over()
        self._links.gone(self)

    def tell(self, handled: int) -> None:
        """Tell the peer that `handled` stanzas are safe."""
        self._stream.tell(handled)
        self._write_output()

    def _drain(self) -> None:
        super()._drain()
        self._arrivals.hand_over()

    def _on_answer(self, event: InitiatingEvent) -> None:
        if type(event) is Stanza:
            self._arrivals.take(event)
            return
        self._arrivals.hand_over()
        match event:
            case Opened():
                self._on_opened(event)
            case Acknowledged():
                self._opening.acknowledged(event.count)
            case Misaddressed():
                self._arrivals.misaddressed(event)
            case AcknowledgementWanted() if self._arrivals.progress is not None:
                self._arrivals.progress.asked()
            case AcknowledgementWanted():
                self.tell(0)  # such a peer sends its stanzas over a stream of its own

    def _on_opened(self, event: Opened) -> None:
        self._limit(None)
        if self._stream.warning:
            self._log.warn("{to} is not known to be who it is: {why}", to=self._pair.to, why=self._stream.warning)
        ways = ", both ways" if self._stream.is_bidirectional else ""
        how = f"{event.how}, {self._stream.secured}{ways}"
        self._log.info("stream to {to}: {how}", to=self._pair.to, how=how)
        if self._stream.is_bidirectional and self._stream.management is not None:
            self._arrivals.managed()
        self._write_output()  # what the former stream sends again comes first
        self.carry(self._opening)
        self._opening.opened(self, event)
        if not self.ready.called:
            self.ready.callback(True)


class VerifyingConnection(InitiatingConnection[bool | StanzaError]):
    """Asks the authoritative server of a domain whether a key is its own (XEP-0220 section 2.1.2), and nothing else.

    `ready` fires with the answer.
    """

    def __init__(self, verification: Verification, options: ServerOptions, ports: S2sPorts, direct_tls: bool) -> None:
        pair = verification.pair.reverse
        stream = InitiatingServerStream(pair, options, verification=verification, direct_tls=direct_tls)
        super().__init__(stream, pair, ports)

    def _on_answer(self, event: InitiatingEvent) -> None:
        if isinstance(event, Verified):
            self.ready.callback(event.outcome)
            self._on_closed(self._stream.close())
