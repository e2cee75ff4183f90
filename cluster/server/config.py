"""What a server is built from: its configuration, and its ports, which are all that is not its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from twisted.internet.ssl import CertificateOptions

from cluster.base.clock import Clock
from cluster.base.turn import Turn
from cluster.membership.port import Nodes
from cluster.router.port import Router
from cluster.server.context import ServerModule
from cluster.server.credentials import DeriveKeys
from cluster.server.services.service import Service
from cluster.store.limits import DEFAULTS, Limits
from cluster.store.port import Store
from cluster.trace.hop import Tracer
from cluster.xmpp.streams.stream_options import TlsMode


@dataclass(frozen=True)
class ServerConfig:
    """One server, or one node of it, as the topology has it."""

    domain: str
    modules: tuple[ServerModule, ...] = ()
    tls: TlsMode = "off"
    starttls: CertificateOptions | None = None
    """None where `tls` is off."""
    certificate_hash: bytes = b""
    """For channel binding (RFC 5929 section 4.1)."""
    anonymous: bool = False
    """Anybody may log in without an account (XEP-0175)."""
    registration: bool = False
    """Anybody may create an account (XEP-0077)."""
    registrations_per_minute: int = 0
    """From one address; 0 for any number."""
    probes_per_minute: int = 0
    """Stanzas that one account may have followed; 0 for any number."""
    strict: bool = False
    """What old clients do and the RFCs forbid is refused."""
    admin: str = ""
    """The operator's address; empty where it is unknown."""
    limits: Limits = DEFAULTS
    """How much is kept for one account."""
    components: Mapping[str, str] = field(default_factory=dict)
    """Components that connect here, and their secrets (XEP-0114)."""
    services: Mapping[str, Service] = field(default_factory=dict)
    """Services of the server's own, by the domain at which each is reached."""
    services_at: Mapping[str, str] = field(default_factory=dict)
    """Components and services of the domain that are at another node of it, and the name of that node."""
    served_by: Mapping[str, str] = field(default_factory=dict)
    """For each component and service of the network, the domain of its server: see `router.realm`."""

    @property
    def specialized(self) -> tuple[str, ...]:
        """The domains of all its components and services, here and at other nodes."""
        return (*self.components, *self.services, *self.services_at)


@dataclass(frozen=True)
class Ports:
    """What a server needs of its surroundings, real or simulated."""

    clock: Clock
    now_utc_s: Callable[[], float]
    turn: Turn
    new_id: Callable[[], str]
    """Ids that are unpredictable (RFC 6120 section 4.7.3)."""
    new_salt: Callable[[], bytes]
    derive: DeriveKeys
    store: Store
    router: Router
    nodes: Nodes
    tracer: Tracer
    expelled: Callable[[], None]
    """Ends this process at once: the other nodes have taken over its work."""
