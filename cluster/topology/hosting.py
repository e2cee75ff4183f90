"""The services of a server in the topology file: a key for each kind of them (cluster/kinds), such as `rooms`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from cluster import kinds
from cluster.kinds.base.server import ServerNode
from cluster.kinds.base.service import ServiceKind
from cluster.kinds.base.values import Domain
from cluster.topology.keys import fields, written
from cluster.topology.plan import ServiceSeed
from cluster.topology.strict import Section, derived


class HostedSection(Section):
    """A service that runs in the server."""

    domain: Domain
    """Its domain, a subdomain of the server's, such as `conference.montague.lit`."""


def _long_form(value: object) -> object:
    return {} if value is None else {"domain": value} if isinstance(value, str) else value


def _key(kind: ServiceKind) -> Any:
    section = derived(HostedSection, f"{kind.name.capitalize()}Section", kind.about, **fields(kind.keys))
    written_as = BeforeValidator(_long_form, json_schema_input_type=str | section)
    return Annotated[section, written_as], Field(default=None, description=kind.about)


def service_keys(kind: type[ServerNode]) -> dict[str, Any]:
    """The fields for the services that can run in a server of this kind."""
    return {
        name: _key(each)
        for name, each in kinds.services().items()
        if kind.service_kinds is None or name in kind.service_kinds
    }


def hosted(server: Section) -> tuple[ServiceSeed, ...]:
    """The services that the section of a server gives it, in the order of their names."""
    sections = [(kind, getattr(server, kind.name, None)) for kind in kinds.services().values()]
    return tuple(
        ServiceSeed(kind.name, section.domain, written(section, kind.keys))
        for kind, section in sections
        if section is not None
    )
