"""The base of kinds of servers: the class of their nodes in the plan."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from annotated_types import Ge, Le

from cluster.kinds.base.key import Key
from cluster.xmpp.streams.stream_options import TlsMode

COMPONENT_PORT = 5347
"""Port for components (the usual one of XEP-0114)."""


class ContactSeed(msgspec.Struct, frozen=True):
    """A contact that an account has from the start: subscribed both ways (RFC 6121 section 3)."""

    jid: str
    name: str = ""
    groups: tuple[str, ...] = ()


class AccountSeed(msgspec.Struct, frozen=True):
    """An account that exists from the start."""

    localpart: str
    password: str
    contacts: tuple[ContactSeed, ...] = ()


class ComponentSeed(msgspec.Struct, frozen=True):
    """An external component (XEP-0114) of a server."""

    domain: str
    """A subdomain of the server's: `sms.montague.lit`."""
    secret: str


class S2sPeer(msgspec.Struct, frozen=True):
    """The address of another domain's server for XML streams (RFC 6120 section 3)."""

    domain: str
    """Its own, or that of one of its components."""
    host: str
    port: int
    direct_tls: bool = False
    """The port is for connections that begin with TLS (XEP-0368)."""


class ServiceSeed(msgspec.Struct, frozen=True):
    """A service that runs in a server, such as rooms."""

    kind: str
    """See kinds/base/service.py."""
    domain: str
    """A subdomain of the server's: `conference.montague.lit`."""
    settings: dict[str, Any] = {}
    """By the keys of its kind."""


Port = Annotated[int, Ge(1), Le(65535)]
TLS = Key(
    "tls",
    TlsMode,
    "Encryption of connections of clients, and of servers that speak over XML streams (STARTTLS with a certificate of "
    "the lab's CA): `required` before login, "
    "`optional`, or `off`. With `off`, passwords may be sent in the clear.",
    "required",
)
REGISTRATION = Key(
    "registration",
    Literal["open", "closed"],
    "Whether clients may create accounts themselves (in-band registration, XEP-0077).",
    "closed",
)
PORTS = (
    Key(
        "c2s_port",
        Port,
        "TCP port for clients. Every server has its own loopback address, so all can use the same port.",
        5222,
    ),
    Key(
        "direct_tls_port",
        Port,
        "TCP port for clients that begin with TLS (XEP-0368). Closed with `tls: off`.",
        5223,
    ),
    Key(
        "s2s_port",
        Port,
        "TCP port for the servers of other domains (RFC 6120). A server of kind `xmpplab` listens there only if a "
        "link has `transport: s2s` or `bidi`, or leads to a server of another kind.",
        5269,
    ),
    Key(
        "s2s_direct_tls_port",
        Port | None,
        "TCP port for servers that begin with TLS (XEP-0368), which others then prefer to `s2s_port`; without this key "
        "there is none. Closed with `tls: off`.",
        None,
    ),
)


class ServerNode(msgspec.Struct, frozen=True):
    """One XMPP server of the lab. A kind is a subclass; its tag is its name."""

    name: str
    domain: str
    host: str
    """Its own loopback address, so that every domain has the standard ports."""
    c2s_port: int
    tls: TlsMode
    registration: bool = False
    """In-band registration (XEP-0077) is open."""
    accounts: tuple[AccountSeed, ...] = ()
    components: tuple[ComponentSeed, ...] = ()
    services: tuple[ServiceSeed, ...] = ()
    direct_tls_port: int = 5223
    """For clients that begin with TLS (XEP-0368), at `host`; closed without TLS."""
    http_port: int = 0
    """For clients on the web (RFC 7395, XEP-0156), at `host`; with TLS, unless the server has none. 0: none."""
    component_port: int = COMPONENT_PORT
    """For components, at `host`; closed if the server has none."""
    s2s_port: int = 5269
    """For the servers of other domains, at `host`."""
    s2s_direct_tls_port: int | None = None
    """For those that begin with TLS (XEP-0368); None: there is none. Closed without TLS."""
    s2s_peers: tuple[S2sPeer, ...] = ()
    """Where it opens XML streams to. A domain may have several addresses, the preferred ones first."""
    bidirectional: tuple[str, ...] = ()
    """The domains to which its streams are to carry both ways (XEP-0288), if they offer it."""
    asks_outside: bool = False
    """It opens streams to domains that are not in the lab, too, and asks the DNS of this machine where they are."""
    peers: tuple[str, ...] | None = None
    """Domains that it has links with; None: every other one of the lab."""
    node_of: str = ""
    """Name of the server that this is a further node of; empty for a server's first node, which has its name."""

    about: ClassVar[str]
    """A sentence for the reference."""
    settings: ClassVar[tuple[Key, ...]] = (TLS, REGISTRATION, *PORTS)
    """Keys of its section of the topology, which `defaults` may set."""
    keys: ClassVar[tuple[Key, ...]] = ()
    """Keys of its own section only."""
    service_kinds: ClassVar[tuple[str, ...] | None] = None
    """The kinds of services that it can run; None: all."""
    is_started: ClassVar[bool] = True
    """The lab starts it."""
    keeps_data: ClassVar[bool] = False
    """It has a folder with its name in the lab's; otherwise all of its data is in Redis."""

    @classmethod
    def fields(cls, written: dict[str, Any]) -> dict[str, Any]:
        """The fields of the node, from the values of `settings`."""
        return {**written, "registration": written["registration"] == "open"}

    @property
    def kind(self) -> str:
        """Its name in the topology."""
        return str(self.__struct_config__.tag)

    def is_joined_to(self, domain: str) -> bool:
        """Whether a link leads to this other domain of the lab."""
        return self.peers is None or domain in self.peers

    @property
    def server(self) -> str:
        """Name of the server in the topology."""
        return self.node_of or self.name

    @property
    def subdomains(self) -> tuple[str, ...]:
        """The domains of its components and services."""
        return (*(each.domain for each in self.components), *(each.domain for each in self.services))

    @property
    def ports(self) -> tuple[int, ...]:
        """Its ports, at `host`."""
        components = (self.component_port,) if self.components else ()
        s2s = self.s2s_ports if self.takes_streams else ()
        return (*self.client_ports, *components, *s2s)

    @property
    def client_ports(self) -> tuple[int, ...]:
        """Its ports for clients, at `host`."""
        direct_tls = () if self.tls == "off" else (self.direct_tls_port,)
        http = (self.http_port,) if self.http_port else ()
        return (self.c2s_port, *direct_tls, *http)

    @property
    def takes_streams(self) -> bool:
        """It speaks with other servers over XML streams."""
        return bool(self.s2s_peers) or self.asks_outside

    @property
    def s2s_ports(self) -> tuple[int, ...]:
        """Those for the servers of other domains: for STARTTLS, and for direct TLS if there is one."""
        direct = self.s2s_direct_tls
        return (self.s2s_port,) if direct is None else (self.s2s_port, direct)

    @property
    def s2s_direct_tls(self) -> int | None:
        """The port for servers that begin with TLS; None if there is none."""
        return None if self.tls == "off" else self.s2s_direct_tls_port

    def at(self, domain: str) -> tuple[S2sPeer, ...]:
        """Where other servers reach it for this domain, which it serves: the preferred address first."""
        direct = self.s2s_direct_tls
        preferred = () if direct is None else (S2sPeer(domain, self.host, direct, direct_tls=True),)
        return (*preferred, S2sPeer(domain, self.host, self.s2s_port))

    @property
    def listeners(self) -> list[tuple[str, int]]:
        """Its addresses in the lab."""
        return [(self.host, port) for port in self.ports]

    @property
    def domains(self) -> list[str]:
        """Its own domain, and those of its components and services."""
        return [self.domain, *self.subdomains]

    @property
    def c2s(self) -> str:
        """The address for a client: `127.x.y.z:5222`."""
        return f"{self.host}:{self.c2s_port}"

    @property
    def components_at(self) -> str | None:
        """The address for a component: `127.x.y.z:5347`; None if the server has none."""
        return f"{self.host}:{self.component_port}" if self.components else None

    @property
    def direct_tls(self) -> str | None:
        """The address for a client that begins with TLS; None without TLS."""
        return None if self.tls == "off" else f"{self.host}:{self.direct_tls_port}"

    @property
    def http(self) -> str | None:
        """The address for a browser: `https://127.x.y.z:5281`; None if there is none."""
        scheme = "http" if self.tls == "off" else "https"
        return f"{scheme}://{self.host}:{self.http_port}" if self.http_port else None
