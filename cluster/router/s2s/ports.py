"""What the streams between servers need of their surroundings, real or simulated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
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
from cluster.streams.peer_clock import PeerClock
from cluster.streams.peer_tls import PeerTls
from cluster.xmpp.streams.servers.dialback import Pair
from cluster.xmpp.streams.stream_options import TlsMode

CONNECT_S = 10.0
"""For a TCP connection to one address."""
NEGOTIATION_S = 30.0
"""From the TCP connection until stanzas may flow; no peer needs more, however slowly it says one byte after another."""
RESUME_S = 600.0
"""After a break, so long a peer may resume its stream (XEP-0198 section 5)."""
IDLE_S = 600
"""So long a peer may be silent."""


class Address(NamedTuple):
    """Where a server is reached by TCP."""

    host: str
    port: int


Names = Callable[[str], Awaitable[Sequence[Address]]]
"""Where the server of a domain is, best first (RFC 6120 section 3.2); nowhere for a domain that nobody serves."""

Dial = Callable[[Address, Any], Deferred[Any]]
"""Opens a connection for a protocol of Twisted's; fails where nobody answers."""


class Counts(Protocol):
    """How many stanzas were handled of each stream that may be resumed: it outlives the process."""

    def note(self, id: str, pair: Pair, handled: int) -> Deferred[Any] | None:
        """Fires when it is kept; None: at once. Fails where the storage is away or refuses."""

    async def find(self, id: str, pair: Pair) -> int | None:
        """What was noted of the stream of this pair; None where there is none any more."""

    def forget(self, id: str) -> None:
        """The stream has ended for good."""


class MemoryCounts(Counts):
    """Counts that end with the process."""

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


def directory(addresses: Mapping[str, Sequence[Address]]) -> Names:
    """The names that are written down, and no others: nobody outside is asked."""

    async def look_up(domain: str) -> Sequence[Address]:
        return addresses.get(domain, ())

    return look_up


def tcp(reactor: Clock) -> Dial:
    """Connections of the real reactor."""

    def dial(address: Address, protocol: Any) -> Deferred[Any]:
        endpoint = HostnameEndpoint(as_interface(reactor), address.host.encode("idna"), address.port, CONNECT_S)
        connected: Deferred[Any] = connectProtocol(endpoint, protocol)  # type: ignore[no-untyped-call]
        return connected

    return dial


@dataclass(frozen=True)
class S2sPorts:
    """What all streams of one server with those of other domains share."""

    domains: tuple[str, ...]
    """Those served here, the server's own first."""
    clock: Clock
    turn: Turn
    new_id: Callable[[], str]
    """Ids that are unpredictable."""
    names: Names
    dial: Dial
    secret: Callable[[], Awaitable[str]]
    """Of the dialback keys; the same at all nodes of the domain."""
    faults: LinkFaults
    """Of the links into the domain; whoever made it starts and stops it."""
    tracer: HopRecorder
    counts: Counts = field(default_factory=MemoryCounts)
    tls_mode: TlsMode = "off"
    tls: PeerTls | None = None
    """None where `tls_mode` is off."""
    served_by: Mapping[str, str] = field(default_factory=lambda: NO_COMPONENTS)
    """For each component of the network, the domain of its server."""
    max_backlog: int = 100_000
    """Stanzas that may wait for one domain."""
    peers: frozenset[str] | None = None
    """The only domains that links lead to and from; None: each that has an address."""
    jitter: Callable[[], float] = lambda: 1.0
    """Random in [0, 1), for the pauses between attempts."""

    @cached_property
    def peer_clock(self) -> PeerClock:
        """The time that peers are given."""
        return PeerClock(self.clock)

    @cached_property
    def backoff(self) -> Backoff:
        """Between attempts to reach a server."""
        return Backoff(0.1, 5.0, self.jitter)
