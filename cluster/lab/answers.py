"""The results of a lab's operations; the JSON of the commands has their shape (docs/json.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from cluster.client.archived import ArchivedMessage
from cluster.kinds import networks
from cluster.lab import DriverKind
from cluster.lab.state import NodeKind, State


class NodeView(msgspec.Struct, frozen=True):
    """One node, as `ps` shows it; None for a value that does not apply or is not known."""

    name: str
    kind: NodeKind
    domain: str | None
    state: State
    c2s: str | None
    direct_tls: str | None
    """Address for clients that begin with TLS (XEP-0368)."""
    http: str | None
    """Address for clients on the web (XEP-0156)."""
    components: str | None
    """Address for components (XEP-0114)."""
    metrics: str | None
    """Address of its metrics for Prometheus; `/ready` and `/live` are beside them."""
    pid: int | None
    restarts: int
    sessions: int | None
    cpu_percent: float | None
    """Of one core, at this moment; of a process with several nodes, at the first of them."""
    memory_bytes: int | None
    """Resident; likewise."""
    started_utc: str
    last_exit: str
    trouble: str
    """A problem of a running node; empty: none."""


class ComponentView(msgspec.Struct, frozen=True):
    """A component of a server: a gateway of the lab, or a program of its user."""

    domain: str
    server: str
    """Name of the server's node that it connects to."""
    address: str
    is_connected: bool | None
    """None if the server does not answer."""


class ServiceView(msgspec.Struct, frozen=True):
    """A service that runs in a server, such as rooms."""

    domain: str
    server: str
    """Name of the server's node that has it."""
    kind: str


class LinkView(msgspec.Struct, frozen=True):
    """One direction between two servers, if anything was ever sent over it or it has faults."""

    from_: str = msgspec.field(name="from")
    """Name of the sending server."""
    to: str
    waiting: int
    """Batches of stanzas that the other server has not acknowledged."""
    written: int
    """Batches since the lab came up."""
    faults: dict[str, str]
    """In the form of `xmpplab fault set`."""
    lost: int
    """Stanzas that the faults have lost since the lab came up."""


class Overview(msgspec.Struct, frozen=True):
    """The whole lab."""

    lab: str
    topology: str
    state_dir: str
    ca_file: str
    """The certificate that clients have to trust, PEM."""
    nodes: list[NodeView]
    components: list[ComponentView]
    services: list[ServiceView]
    links: list[LinkView]
    """Empty if Redis does not answer."""


class LinkState(msgspec.Struct, frozen=True):
    """One direction between two servers, and its faults."""

    from_: str = msgspec.field(name="from")
    """Name of the sending server."""
    to: str
    from_domain: str
    to_domain: str
    faults: dict[str, str]
    """In the form of `fault set`, counted from now: `{"delay": "40ms"}`."""
    lost: int
    """Stanzas that the faults of the link have lost since the lab came up."""
    heard_by: int | None = None
    """How many readers of the link received a change; 0: nobody reads it now, so the change applies from the next
    start."""


class Part(msgspec.Struct, frozen=True):
    """A process or container that would be started."""

    name: str
    listens: list[str]
    """Its addresses for others; Redis and nodes that only connect have none."""


class Intention(msgspec.Struct, frozen=True):
    """What `up` would do."""

    lab: str
    does: Literal["nothing", "start", "start with kept data", "refuse"]
    why: str
    """The reason if it does nothing or refuses; otherwise empty."""
    driver: DriverKind
    state_dir: str
    parts: list[Part]


class CheckStep(msgspec.Struct, frozen=True):
    """One step of the check of a domain, as another server or a client makes it."""

    side: str
    """Part of the check: `names`, `components`, `servers` or `clients`."""
    name: str
    ok: bool
    found: str
    """The result, or the problem."""
    remedy: str = ""
    """The remedy; empty if there is no problem."""


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


class Usage(msgspec.Struct, frozen=True):
    """What a process uses."""

    node: str
    """The first of its nodes."""
    cpu_percent: float
    """Of one core, since the last look at it."""
    memory_bytes: int
    """Resident."""


class CertificateView(msgspec.Struct, frozen=True):
    """The certificate of a server, or of the lab's CA."""

    name: str
    """Of the server; `ca`."""
    domains: list[str]
    """Names for which it is valid."""
    not_before: str
    """ISO 8601."""
    not_after: str
    path: str


class ClientView(msgspec.Struct, frozen=True):
    """A client program that `connect` can start."""

    name: str
    path: str | None
    """Where it is installed; None: it is not."""
    package: str
    """The package of Debian that has it."""
    is_graphical: bool
    """It needs a display; otherwise it runs in a terminal."""


class SessionView(msgspec.Struct, frozen=True):
    """A client that is logged in."""

    jid: str
    """With its resource."""
    node: str
    state: Literal["available", "connected", "hibernating"]
    """connected: it has sent no presence; hibernating: its connection broke, and it may resume (XEP-0198)."""
    priority: int | None
    """Of its presence (RFC 6121 section 4.7.2.3); None if it is not available."""


class NetworkView(msgspec.Struct, frozen=True):
    """A foreign network that the lab runs."""

    name: str
    kind: Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(networks())})]
    status: dict[str, Any]
    faults: dict[str, Any]

    @property
    def faults_in_words(self) -> str:
        """Such as `down, delay 2 s`; empty: none."""
        from cluster.networks.faults import in_words

        return in_words(self.faults)


class Sent(msgspec.Struct, frozen=True):
    """The outcome of sending a message."""

    to: str
    domain: str
    is_taken: bool
    """False if the message may still be on its way."""
    came_back: str = ""
    """The reason; empty if it was not returned."""


class Found(msgspec.Struct, frozen=True):
    """A message that a search has found."""

    account: str
    """In whose archive."""
    message: ArchivedMessage


class SearchResult(msgspec.Struct, frozen=True):
    """What a search of the archives has found."""

    found: list[Found]
    """Oldest first."""
    left_out: list[str]
    """Accounts whose archives were not read: their passwords are not known, or their servers refuse."""
