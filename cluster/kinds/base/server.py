"""The servers of a plan."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from cluster.store.limits import Limits
from cluster.xmpp.streams.stream_options import TlsMode

COMPONENT_PORT = 5347
"""Where servers take components (the usual port of XEP-0114)."""


class ContactSeed(msgspec.Struct, frozen=True):
    """A contact that an account starts with: subscribed both ways (RFC 6121 section 3)."""

    jid: str
    name: str = ""
    groups: tuple[str, ...] = ()


class AccountSeed(msgspec.Struct, frozen=True):
    """An account that exists from the start."""

    localpart: str
    password: str
    contacts: tuple[ContactSeed, ...] = ()


class ComponentSeed(msgspec.Struct, frozen=True):
    """An external component (XEP-0114) that a server lets in."""

    domain: str
    """Below the server's: `sms.montague.lit`."""
    secret: str


class S2sPeer(msgspec.Struct, frozen=True):
    """Where the server of another domain is reached by XML streams (RFC 6120 section 3)."""

    domain: str
    """Its own, or that of one of its components."""
    host: str
    port: int


class ServiceSeed(msgspec.Struct, frozen=True):
    """A service that lives in a server: rooms and the like."""

    kind: str
    """See kinds/base/service.py."""
    domain: str
    """Below the server's: `conference.montague.lit`."""
    settings: dict[str, Any] = {}
    """By the keys of its kind."""


class ServerNode(msgspec.Struct, frozen=True):
    """One XMPP server of the lab."""

    name: str
    domain: str
    host: str
    """Loopback address of its own, so that every domain has the standard ports."""
    c2s_port: int
    tls: TlsMode
    registration: bool
    """In-band registration (XEP-0077) is open."""
    modules: tuple[str, ...]
    """Files of cluster/modules to load."""
    accounts: tuple[AccountSeed, ...]
    components: tuple[ComponentSeed, ...] = ()
    services: tuple[ServiceSeed, ...] = ()
    registrations_per_minute: int = 0
    """From one address; 0: any number."""
    limits: Limits = Limits()
    """How much is kept for one account."""
    strict: bool = False
    """What old clients do amiss is refused."""
    anonymous: bool = False
    """SASL ANONYMOUS is on offer."""
    admin: str = ""
    """Account of the operator; empty where the topology names none."""
    direct_tls_port: int = 5223
    """For clients that begin with TLS (XEP-0368), at `host`; nobody listens there without TLS."""
    http_port: int = 5281
    """For clients on the web (RFC 7395, XEP-0156), at `host`; with TLS, unless the server does without."""
    component_port: int = COMPONENT_PORT
    """Where components connect, at `host`; nobody listens there when the server has none."""
    s2s_port: int = 5269
    """Where the servers of other domains connect, at `host`; nobody listens there when there are no `s2s_peers`."""
    s2s_peers: tuple[S2sPeer, ...] = ()
    """The domains with which it speaks over XML streams; with the others, through Redis."""
    peers: tuple[str, ...] | None = None
    """Domains that it has links with; None: every other one of the lab."""
    node_of: str = ""
    """Name of the server that this is a further node of; empty for a server's first node, which has its name."""

    def is_joined_to(self, domain: str) -> bool:
        """A link leads to this other domain of the lab."""
        return self.peers is None or domain in self.peers

    @property
    def server(self) -> str:
        """Name of the server: what the topology calls it."""
        return self.node_of or self.name

    keeps_data: ClassVar[bool] = False
    """It has a folder with its name in the lab's; else all that it remembers is in Redis."""

    @property
    def subdomains(self) -> tuple[str, ...]:
        """The domains of its components and services."""
        return (*(each.domain for each in self.components), *(each.domain for each in self.services))

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it listens, at `host`."""
        direct_tls = () if self.tls == "off" else (self.direct_tls_port,)
        components = (self.component_port,) if self.components else ()
        s2s = (self.s2s_port,) if self.s2s_peers else ()
        return (self.c2s_port, *direct_tls, self.http_port, *components, *s2s)

    @property
    def listeners(self) -> list[tuple[str, int]]:
        """Its addresses."""
        return [(self.host, port) for port in self.ports]

    @property
    def speaks_for(self) -> str:
        """By what its Redis user is known."""
        return self.domain

    @property
    def channel(self) -> str:
        """By what its control channel and its links are known: the domain, or `domain/node` for a further node."""
        return f"{self.domain}/{self.name}" if self.node_of else self.domain

    @property
    def c2s(self) -> str:
        """What a client types: `127.x.y.z:5222`."""
        return f"{self.host}:{self.c2s_port}"

    @property
    def components_at(self) -> str | None:
        """What a component is told: `127.x.y.z:5347`; None where the server has none."""
        return f"{self.host}:{self.component_port}" if self.components else None

    @property
    def http(self) -> str:
        """What a browser types: `https://127.x.y.z:5281`."""
        return f"http{'' if self.tls == 'off' else 's'}://{self.host}:{self.http_port}"

    @property
    def direct_tls(self) -> str | None:
        """What a client types that begins with TLS; None without TLS."""
        return None if self.tls == "off" else f"{self.host}:{self.direct_tls_port}"
