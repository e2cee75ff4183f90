"""The lower half of the RFC's figure in the topology file: components, gateways, and the networks behind them.

What is written for gateways and networks of one kind only, their kinds declare (cluster/kinds).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from ipaddress import ip_address
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_origin

import idna
from pydantic import AfterValidator, Field, create_model

from cluster import kinds
from cluster.kinds.base.gateway import GatewayNode
from cluster.kinds.base.key import Key, Sections
from cluster.kinds.base.network import NetworkNode
from cluster.kinds.base.values import Domain, NodeName
from cluster.topology.strict import OrEmpty, Section


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
    """The server that lets it in."""
    secret: Annotated[str, Field(min_length=1)] = "secret"
    """What it proves itself with."""


class Gateway(Section):
    """A gateway: a component that translates between XMPP and a foreign network."""

    kind: str
    """What it translates to."""
    domain: Domain
    """Its own domain, below that of its server, such as `sms.montague.lit`: addresses over there are its accounts."""
    server: NodeName
    """The server that it is a component of."""
    network: NodeName
    """Its foreign network, one of `networks`."""
    secret: Annotated[str, Field(min_length=1)] = "secret"
    """What it proves itself to the server with."""


class External(Section):
    """A real system in place of the lab's own."""

    host: Annotated[str, Field(min_length=1), AfterValidator(_host)]
    """Its address or name."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Its TCP port."""
    user: str = ""
    """Whom to log in as: the system_id of a message centre, of at most 15 characters, or the user name of a mail host;
    empty: no login."""
    password: str = ""
    """The password of that login; at a message centre it has at most 8 characters (SMPP 3.4 section 5.2.2)."""
    starttls: bool = False
    """Only for a mail host: encrypt, and refuse to go on where that fails."""


class Network(Section):
    """A foreign network: the lab runs one that speaks its real protocol, unless `external` names another."""

    kind: str
    """What it is."""
    external: External | None = None
    """A real system to use instead; then the lab runs none, and knows none of its people."""


def written(section: Section, keys: tuple[Key, ...]) -> dict[str, Any]:
    """What a section says for the keys of its kind."""
    return {key.name: _value(getattr(section, key.name), key.type) for key in keys}


def _value(value: Any, type_: Any) -> Any:
    if not isinstance(type_, Sections):
        return value
    return {name: written(section, type_.keys) for name, section in value.items()}


def field(key: Key) -> Any:
    """The key as pydantic makes a field of it."""
    if isinstance(key.type, Sections):
        fields = {each.name: field(each) for each in key.type.keys}
        section = create_model(key.type.name, __base__=Section, __doc__=key.type.about, **fields)
        sections = dict[key.type.named, Annotated[section, OrEmpty(dict)]]  # type: ignore[valid-type, name-defined]
        return Annotated[sections, OrEmpty(dict)], Field(default=key.default, description=key.meaning)
    container = get_origin(key.type)
    type_ = Annotated[key.type, OrEmpty(container)] if container in (list, dict) else key.type
    return type_, Field(default=key.default, description=key.meaning)


def _literal(word: str) -> Any:
    return Literal[word]


def _by_kind(known: Mapping[str, type[GatewayNode] | type[NetworkNode]], base: type[Section]) -> Any:
    """The sections of these kinds, told apart by their key `kind`."""
    sections = [
        create_model(
            kind.__name__,
            __base__=base,
            __doc__=kind.about,
            kind=(_literal(name), Field(description="What it is.")),
            **{key.name: field(key) for key in kind.keys},
        )
        for name, kind in known.items()
    ]
    return Annotated[reduce(or_, sections), Field(discriminator="kind")] if len(sections) > 1 else sections[0]


if TYPE_CHECKING:
    AnyGateway = Gateway
    AnyNetwork = Network
else:
    AnyGateway = _by_kind(kinds.gateways(), Gateway)
    AnyNetwork = _by_kind(kinds.networks(), Network)
