"""A Plan: the topology resolved, every default, address and peer filled in. Drivers and nodes read only this."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from cluster.store.limits import Limits
from cluster.trace.hop import MAX_JOURNAL_BYTES
from cluster.xmpp.stream_options import TlsMode

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
    registrations_per_minute: int = 0
    """From one address; 0: any number."""
    limits: Limits = Limits()
    """How much is kept for one account."""
    strict: bool = False
    """What old clients do amiss is refused."""
    anonymous: bool = False
    """SASL ANONYMOUS is on offer."""
    admin: str = ""
    """Account of whoever runs it; empty where nobody is named."""
    direct_tls_port: int = 5223
    """For clients that begin with TLS (XEP-0368), at `host`; nobody listens there without TLS."""
    http_port: int = 5281
    """For clients on the web (RFC 7395, XEP-0156), at `host`; with TLS, unless the server does without."""
    component_port: int = COMPONENT_PORT
    """Where components connect, at `host`; nobody listens there when the server has none."""
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

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it listens, at `host`."""
        direct_tls = () if self.tls == "off" else (self.direct_tls_port,)
        components = (self.component_port,) if self.components else ()
        return (self.c2s_port, *direct_tls, self.http_port, *components)

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


class NetworkNode(msgspec.Struct, frozen=True):
    """A foreign network."""

    name: str
    kind: Literal["smsc", "mailhost"]
    host: str
    port: int
    """Where it speaks SMPP or SMTP."""
    phones: dict[str, str] = {}
    """Numbers by the phones' names."""
    mailboxes: dict[str, str] = {}
    """Mail addresses by the mailboxes' names."""
    is_external: bool = False
    """A real system, which the lab does not run."""
    user: str = ""
    """Whom gateways log in as, where it is a real one."""
    password: str = ""
    starttls: bool = False

    @property
    def speaks_for(self) -> str:
        """By what its Redis user is known."""
        return self.name

    @property
    def channel(self) -> str:
        """By what its control channel is known."""
        return self.name


class GatewayNode(msgspec.Struct, frozen=True):
    """A gateway between its server and a foreign network."""

    name: str
    kind: Literal["sms", "mail"]
    domain: str
    server: str
    """Name of the server that it is a component of."""
    secret: str
    network: str
    """Name of the network behind it."""
    number: str
    """Short code that phones see; for SMS."""
    host: str
    port: int
    """Where mail comes in, for mail; 0 for SMS."""
    mail_domains: tuple[str, ...] = ()
    """Of the accounts that get mail by their own JIDs; for mail."""
    aliases: dict[str, str] = {}
    """Further mail addresses, and whose they are; for mail."""

    @property
    def speaks_for(self) -> str:
        """By what its Redis user is known."""
        return self.domain

    @property
    def channel(self) -> str:
        """By what its control channel is known."""
        return self.domain


LabNode = ServerNode | GatewayNode | NetworkNode
"""Whatever has a process of its own, and answers commands."""


class LinkSeed(msgspec.Struct, frozen=True):
    """The faults that a link has from the start."""

    from_: str
    """Domain."""
    to: str
    """Domain."""
    faults: dict[str, Any]
    """By their keys; see cluster/router/settings.py. Times are counted from when the lab comes up."""


class Plan(msgspec.Struct, frozen=True):
    """A whole lab, as it will run."""

    name: str
    topology: str
    """Path of the file that it was made from."""
    state_dir: str
    """Folder of the running lab: `.xmpplab/<name>`, absolute."""
    servers: tuple[ServerNode, ...]
    gateways: tuple[GatewayNode, ...] = ()
    networks: tuple[NetworkNode, ...] = ()
    sample_every: int = 1000
    """One stanza in so many is followed without being asked; 0: none."""
    probes_per_minute: int = 600
    journal_bytes: int = MAX_JOURNAL_BYTES
    redis_url: str = ""
    """An existing Redis or Valkey; empty: the lab starts its own."""
    max_backlog: int = 100_000
    """Batches that may wait on one link before its senders get remote-server-timeout."""

    links: tuple[LinkSeed, ...] = ()
    """Those with faults."""
    fault_seed: int = 0

    @property
    def served_by(self) -> dict[str, str]:
        """Domain of the server, by domain of each component."""
        return {component.domain: server.domain for server in self.servers for component in server.components}

    @property
    def listeners(self) -> list[tuple[str, int]]:
        """Every address that the lab takes on this machine."""
        servers = [address for server in self.servers for address in server.listeners]
        gateways = [(gateway.host, gateway.port) for gateway in self.gateways if gateway.port]
        networks = [(network.host, network.port) for network in self.networks if not network.is_external]
        return servers + gateways + networks

    def encoded(self) -> bytes:
        """As a file, for the nodes and commands to come."""
        return msgspec.json.format(msgspec.json.encode(self))

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read what `encoded` made. Raises FileNotFoundError where no lab was brought up."""
        return msgspec.json.decode(path.read_bytes(), type=cls)

    @property
    def lower_half(self) -> list[GatewayNode | NetworkNode]:
        """The gateways and foreign networks that the lab runs."""
        ours: list[GatewayNode | NetworkNode] = [network for network in self.networks if not network.is_external]
        ours.extend(self.gateways)
        return ours

    def nodes_of(self, server: str) -> list[ServerNode]:
        """The nodes of the server of this name, the first one first."""
        return [node for node in self.servers if node.server == server]

    def server_named(self, name: str) -> ServerNode:
        """The server of this name, which is known to exist."""
        return next(server for server in self.servers if server.name == name)

    def network(self, name: str) -> NetworkNode:
        """The network of this name."""
        return next(network for network in self.networks if network.name == name)

    def server(self, name_or_domain: str) -> ServerNode | None:
        """The server of this name (`s1`) or domain."""
        return next((s for s in self.servers if name_or_domain in (s.name, s.domain)), None)
