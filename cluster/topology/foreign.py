"""The lower half of the RFC's figure in the topology file: components, gateways, and the networks behind them.

What is written for gateways and networks of one kind only, their kinds declare (cluster/kinds).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from ipaddress import ip_address
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

import idna
from pydantic import AfterValidator, Field

from cluster import kinds
from cluster.kinds.base.gateway import GatewayNode
from cluster.kinds.base.network import NetworkNode
from cluster.kinds.base.values import Domain, NodeName
from cluster.topology.keys import section
from cluster.topology.strict import Section


def _host(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        try:
            idna.encode(text.replace("_", "x"), uts46=True)  # names of containers often have one
        except (idna.IDNAError, UnicodeError):
            raise ValueError(f"{text!r} is neither a host name nor an IP address; write one of the two") from None
    return text


class Component(Section):
    """A program of your own that connects to a server as an external component (XEP-0114)."""

    server: NodeName
    """The server that it connects to."""
    secret: Annotated[str, Field(min_length=1)] = "secret"
    """The secret for its handshake."""


class Gateway(Section):
    """A gateway: a component that translates between XMPP and a foreign network."""

    kind: str
    """The kind of gateway."""
    domain: Domain
    """Its domain, a subdomain of its server's, such as `sms.montague.lit`: foreign addresses are its accounts."""
    server: NodeName
    """The server that it is a component of."""
    network: NodeName
    """Its foreign network, one of `networks`."""
    secret: Annotated[str, Field(min_length=1)] = "secret"
    """The secret for its handshake with the server."""


class External(Section):
    """A real system instead of the lab's own."""

    host: Annotated[str, Field(min_length=1), AfterValidator(_host)]
    """Its address or name."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Its TCP port."""
    user: str = ""
    """The login: the system_id of a message centre, of at most 15 characters, or the user name of a mail host; empty:
    no login."""
    password: str = ""
    """The password of that login; at a message centre it has at most 8 characters (SMPP 3.4 section 5.2.2)."""
    starttls: bool = False
    """Only for a mail host: encrypt, and stop if that fails."""


class Network(Section):
    """A foreign network: the lab runs one that speaks its real protocol, unless `external` names a real one."""

    kind: str
    """The kind of network."""
    external: External | None = None
    """A real system to use instead; the lab then runs none, and does not know its people."""


def _by_kind(known: Mapping[str, type[GatewayNode] | type[NetworkNode]], base: type[Section]) -> Any:
    """The sections of these kinds, told apart by their key `kind`."""
    sections = [section(kind, base, kind.keys) for kind in known.values()]
    return Annotated[reduce(or_, sections), Field(discriminator="kind")] if len(sections) > 1 else sections[0]


if TYPE_CHECKING:
    AnyGateway = Gateway
    AnyNetwork = Network
else:
    AnyGateway = _by_kind(kinds.gateways(), Gateway)
    AnyNetwork = _by_kind(kinds.networks(), Network)
