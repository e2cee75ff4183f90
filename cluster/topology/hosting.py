"""The services of a server in the topology file: a key for each kind of them (cluster/kinds), such as `rooms`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, create_model

from cluster import kinds
from cluster.kinds.base.service import ServiceKind
from cluster.kinds.base.values import Domain
from cluster.topology.foreign import field, written
from cluster.topology.plan import ServiceSeed
from cluster.topology.strict import Section


class HostedSection(Section):
    """A service that lives in the server."""

    domain: Domain
    """Its own domain, below that of its server, such as `conference.montague.lit`."""


def _long_form(value: object) -> object:
    return {} if value is None else {"domain": value} if isinstance(value, str) else value


def _key(kind: ServiceKind) -> Any:
    section = create_model(
        f"{kind.name.capitalize()}Section",
        __base__=HostedSection,
        __doc__=kind.about,
        **{key.name: field(key) for key in kind.keys},
    )
    written_as = BeforeValidator(_long_form, json_schema_input_type=str | section)
    return Annotated[section, written_as], Field(default=None, description=kind.about)


if TYPE_CHECKING:

    class Hosting(Section): ...

else:
    Hosting = create_model("Hosting", __base__=Section, **{name: _key(kind) for name, kind in kinds.services().items()})


def hosted(server: Section) -> tuple[ServiceSeed, ...]:
    """The services that the section of a server gives it, in the order of their names."""
    sections = [(kind, getattr(server, kind.name)) for kind in kinds.services().values()]
    return tuple(
        ServiceSeed(kind.name, section.domain, written(section, kind.keys))
        for kind, section in sections
        if section is not None
    )
