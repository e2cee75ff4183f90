"""What a lab answers, as structs: the JSON of the commands has their shape (docs/json.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from cluster.kinds import networks
from cluster.lab import DriverKind
from cluster.lab.state import NodeKind, State


class NodeView(msgspec.Struct, frozen=True):
    """One process, as `ps` shows it; None where a thing does not apply or is not known."""

    name: str
    kind: NodeKind
    domain: str | None
    state: State
    c2s: str | None
    direct_tls: str | None
    """Where clients may begin with TLS at once (XEP-0368)."""
    http: str | None
    """Where clients on the web find it (XEP-0156)."""
    components: str | None
    """Where components connect (XEP-0114)."""
    pid: int | None
    restarts: int
    sessions: int | None
    cpu_percent: float | None
    """Of one core, at this moment."""
    memory_bytes: int | None
    """Resident."""
    started_utc: str
    last_exit: str
    trouble: str
    """What does not work of it, though it runs; empty: nothing."""


class ComponentView(msgspec.Struct, frozen=True):
    """A component that a server lets in: a gateway of the lab, or a program of its user."""

    domain: str
    server: str
    """Name of the server's node that it connects to."""
    address: str
    is_connected: bool | None
    """None where the server does not tell."""


class ServiceView(msgspec.Struct, frozen=True):
    """A service that lives in a server: rooms and the like."""

    domain: str
    server: str
    """Name of the server's node that it is at."""
    kind: str


class LinkView(msgspec.Struct, frozen=True):
    """One direction between two servers that something was ever sent over, or that has faults."""

    from_: str = msgspec.field(name="from")
    """Name of the server that sends."""
    to: str
    waiting: int
    """Batches of stanzas that the other server has not acknowledged."""
    faults: dict[str, str]
    """As `xmpplab fault set` takes them."""
    lost: int
    """Stanzas that the faults have lost since the lab came up."""


class Overview(msgspec.Struct, frozen=True):
    """The whole lab."""

    lab: str
    topology: str
    state_dir: str
    ca_file: str
    """What clients have to trust, PEM."""
    nodes: list[NodeView]
    components: list[ComponentView]
    services: list[ServiceView]
    links: list[LinkView]
    """None of them where Redis does not answer."""


class LinkState(msgspec.Struct, frozen=True):
    """One direction between two servers, and what is wrong with it."""

    from_: str = msgspec.field(name="from")
    """Name of the server that sends."""
    to: str
    from_domain: str
    to_domain: str
    faults: dict[str, str]
    """As `fault set` would have it now: `{"delay": "40ms"}`."""
    lost: int
    """Stanzas that the faults of the link have lost since the lab came up."""
    heard_by: int | None = None
    """How many readers of the link took in a change; 0: nobody reads it now, so it holds from the next start on."""


class Part(msgspec.Struct, frozen=True):
    """A process or container that would be started."""

    name: str
    listens: list[str]
    """Its addresses for others; Redis and what only connects have none."""


class Intention(msgspec.Struct, frozen=True):
    """What would be done."""

    lab: str
    does: Literal["nothing", "start", "start with kept data", "refuse"]
    why: str
    """It does nothing or refuses; else empty."""
    driver: DriverKind
    state_dir: str
    parts: list[Part]


class LabView(msgspec.Struct, frozen=True):
    """A lab of the user."""

    name: str
    state: Literal["up", "down"]
    state_dir: str


class LogView(msgspec.Struct, frozen=True):
    """One log line; `logs` prints one such document a line."""

    at_utc: str
    """ISO 8601."""
    node: str
    level: str
    """debug, info, warning or error."""
    text: str


class AccountView(msgspec.Struct, frozen=True):
    """An account of a server."""

    jid: str
    server: str
    """Name of the server."""


class NetworkView(msgspec.Struct, frozen=True):
    """A foreign network that the lab runs."""

    name: str
    kind: Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(networks())})]
    status: dict[str, Any]
    faults: dict[str, Any]

    @property
    def faults_in_words(self) -> str:
        """As `down, delay 2 s`; empty: none."""
        from cluster.networks.faults import in_words

        return in_words(self.faults)


class Sent(msgspec.Struct, frozen=True):
    """What became of a message that was sent."""

    to: str
    domain: str
    is_taken: bool
    """False while it may still wait on its way."""
    came_back: str = ""
    """Why; empty where it did not."""
