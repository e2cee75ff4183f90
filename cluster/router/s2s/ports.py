"""What the streams between servers need from the outside: clock, network, storage and settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from typing_extensions import override

from cluster.base.backoff import Backoff
from cluster.base.clock import Clock, as_interface
from cluster.base.turn import Turn
from cluster.router.link_faults import LinkFaults
from cluster.router.port import HopRecorder
from cluster.router.realm import NO_COMPONENTS
from cluster.router.s2s.foreign import Foreign
from cluster.streams.peer_clock import PeerClock
from cluster.xmpp.streams.servers.certificate import PeerCertificate
from cluster.xmpp.streams.servers.dialback import Pair
from cluster.xmpp.streams.stream_options import TlsMode

CONNECT_S = 10.0
"""For a TCP connection to one address."""
NEGOTIATION_S = 30.0
"""Time limit from the TCP connection until stanzas may flow, however steadily the peer sends."""
RESUME_S = 600.0
"""How long after a break a peer may resume its stream (XEP-0198 section 5)."""
IDLE_S = 600
"""How long a peer may be silent."""


class Address(NamedTuple):
    """The TCP address of a server."""

    host: str
    port: int
    direct_tls: bool = False
    """The connection begins with TLS (XEP-0368); otherwise with XML, and TLS may follow (STARTTLS)."""


Names = Callable[[str], Awaitable[Sequence[Address]]]
"""The addresses of a domain's server, best first (RFC 6120 section 3.2); empty for a domain that nobody serves."""

Dial = Callable[[Address, Any], Deferred[Any]]
"""Opens a TCP connection for a Twisted protocol; fails if nobody answers."""


class Counts(Protocol):
    """Stores how many stanzas of each resumable stream were handled."""

    def note(self, id: str, pair: Pair, handled: int) -> Deferred[Any] | None:
        """Store the count. Fires when it is stored, None: at once; fails if the storage is away or refuses."""

    async def find(self, id: str, pair: Pair) -> int | None:
        """The stored count of this pair's stream; None if there is none."""

    def forget(self, id: str) -> None:
        """Delete the count: the stream cannot be resumed any more."""


class ServerTls(Protocol):
    """TLS with other servers: the certificate to show, and the judgement of theirs (`streams.peer_tls.PeerTls`)."""

    @property
    def receiving(self) -> Any:
        """For `startTLS` on the receiving side of a stream."""

    def initiating(self, domain: str, *, direct: bool) -> Any:
        """For `startTLS` on the initiating side, towards the server of this domain; `direct`: as the first bytes."""

    def certificate_of(self, connection: Any) -> PeerCertificate:
        """What the peer's certificate proves, by the handle of a transport whose handshake is over."""


class MemoryCounts(Counts):
    """Counts that end with this object."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[Pair, int]] = {}

    @override
    def note(self, id: str, pair: Pair, handled: int) -> None:
        self._counts[id] = pair, handled

    @override
    async def find(self, id: str, pair: Pair) -> int | None:
        noted = self._counts.get(id)
        return noted[1] if noted is not None and noted[0] == pair else None

    @override
    def forget(self, id: str) -> None:
        self._counts.pop(id, None)


def tcp(reactor: Clock) -> Dial:
    """Connections of a real reactor."""

    def dial(address: Address, protocol: Any) -> Deferred[Any]:
        endpoint = HostnameEndpoint(as_interface(reactor), address.host.encode("idna"), address.port, CONNECT_S)
        connected: Deferred[Any] = connectProtocol(endpoint, protocol)
        return connected

    return dial


@dataclass(frozen=True)
class S2sPorts:
    """Shared by all streams of one server with servers of other domains."""

    domains: tuple[str, ...]
    """The domains served here, the server's own first."""
    clock: Clock
    turn: Turn
    new_id: Callable[[], str]
    """Makes unpredictable ids."""
    names: Names
    dial: Dial
    secret: Callable[[], Awaitable[str]]
    """The secret of the dialback keys; the same at all nodes of the domain."""
    faults: LinkFaults
    """The faults of the links into the domain; the caller starts and stops them."""
    tracer: HopRecorder
    counts: Counts = field(default_factory=MemoryCounts)
    tls_mode: TlsMode = "off"
    tls: ServerTls | None = None
    """None if `tls_mode` is off."""
    served_by: Mapping[str, str] = field(default_factory=lambda: NO_COMPONENTS)
    """For each component of the network, the domain of its server."""
    max_backlog: int = 100_000
    """Stanzas that may wait for one domain."""
    peers: Container[str] | None = None
    """The only domains that links lead to and from; None: all that have an address."""
    recorded: Container[str] = frozenset()
    """The domains whose servers record hops; see `Foreign` for the others."""
    bidirectional: Container[str] = frozenset()
    """The domains to which a stream is to carry both ways, if they offer it (XEP-0288). From others that ask for it, it
    is accepted."""
    jitter: Callable[[], float] = lambda: 1.0
    """A random number in [0, 1), for the pauses between attempts to connect."""

    @cached_property
    def peer_clock(self) -> PeerClock:
        """The clock of the time limits of peers."""
        return PeerClock(self.clock)

    @cached_property
    def foreign(self) -> Foreign:
        """What is known of stanzas at servers that record no hops."""
        return Foreign(self.tracer)

    @cached_property
    def backoff(self) -> Backoff:
        """The pauses between attempts to connect to a server."""
        return Backoff(0.1, 5.0, self.jitter)
