"""What a server is built from: its configuration, and its ports to everything outside of it."""

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
    """One server, or one node of a domain, as the topology describes it."""

    domain: str
    modules: tuple[ServerModule, ...] = ()
    tls: TlsMode = "off"
    starttls: CertificateOptions | None = None
    """None if `tls` is off."""
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
    """Refuse what old clients do and the RFCs forbid."""
    admin: str = ""
    """The operator's address; empty if it is unknown."""
    limits: Limits = DEFAULTS
    """The limits of what is stored for one account."""
    components: Mapping[str, str] = field(default_factory=dict)
    """Components that connect here, and their secrets (XEP-0114)."""
    services: Mapping[str, Service] = field(default_factory=dict)
    """Hosted services of the domain, by their domains: at each of its nodes, one of which has the service."""
    components_at: Mapping[str, str] = field(default_factory=dict)
    """Components of the domain at another node, and the name of that node."""
    served_by: Mapping[str, str] = field(default_factory=dict)
    """For each component and service of the network, the domain of its server: see `router.realm`."""

    @property
    def specialized(self) -> tuple[str, ...]:
        """The domains of all its components and services, at whatever node."""
        return (*self.components, *self.services, *self.components_at)


@dataclass(frozen=True)
class Ports:
    """What a server needs from outside, real or simulated."""

    clock: Clock
    now_utc_s: Callable[[], float]
    turn: Turn
    new_id: Callable[[], str]
    """Returns unpredictable ids (RFC 6120 section 4.7.3)."""
    new_salt: Callable[[], bytes]
    derive: DeriveKeys
    store: Store
    router: Router
    nodes: Nodes
    tracer: Tracer
    fenced: Callable[[], None]
    """Ends this process at once: the other nodes have fenced it."""
