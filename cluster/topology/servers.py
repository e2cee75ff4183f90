"""The servers in the topology file: a section for each kind, and the settings that `defaults` may give to all.

Kinds declare the keys of their own servers (cluster/kinds).
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from cluster import kinds
from cluster.kinds.base.server import ServerNode
from cluster.kinds.base.values import Domain
from cluster.kinds.xmpplab import USUAL, XmpplabServer
from cluster.topology.hosting import service_keys
from cluster.topology.keys import fields, section, written
from cluster.topology.strict import Section, derived


class Server(Section):
    """An XMPP server, which serves one domain."""

    kind: str
    """The kind of server."""
    domain: Domain
    """The domain that it serves: the part of its accounts' addresses after the '@'. No DNS entry is needed."""


def _of_usual_kind(value: object) -> object:
    return {"kind": USUAL, **value} if isinstance(value, dict) else value


_KINDS: list[type[ServerNode]] = [
    XmpplabServer,
    *(kind for kind in kinds.servers().values() if kind is not XmpplabServer),
]
_SECTIONS = [section(kind, Server, (*kind.settings, *kind.keys), USUAL, **service_keys(kind)) for kind in _KINDS]

if TYPE_CHECKING:
    AnyServer = Server
else:
    AnyServer = Annotated[reduce(or_, _SECTIONS), Field(discriminator="kind"), BeforeValidator(_of_usual_kind)]

ServerSettings: type[Section] = derived(
    Section,
    "ServerSettings",
    "What servers have in common. A server's own key wins over `defaults`, and that over the default given "
    "here; a server whose kind has no such key goes without.",
    **fields({key.name: key for kind in _KINDS for key in kind.settings}.values()),
)


def settings_of(server: Server, defaults: Section) -> dict[str, Any]:
    """The settings of a server: its own keys, otherwise those of `defaults`, otherwise the model's."""
    keys = kinds.servers()[server.kind].settings
    own = {key.name for key in keys} & server.model_fields_set
    return {**written(defaults, keys), **{name: getattr(server, name) for name in own}}
